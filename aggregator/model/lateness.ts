// How late events came: by event day, by the quarter hour of their receipt, and by class of lateness.
import { flag } from "../../shared/event/event.ts";
import type { Model } from "./model.ts";

/** The longest lateness of each class, in seconds; the class behind the last has none. */
export const latenessBounds = [60, 300, 900, 3_600, 21_600, 86_400, 604_800] as const;

/** Events that were sent as old ones are late on purpose. */
export const historicalClass = -1;
/** Events that happened after they were received, as their clocks have it. */
export const aheadClass = 0;

// A bound belongs to the class below it, and times are in microseconds.
const starts = ["0", ...latenessBounds.map((seconds) => `${seconds}.000001`)].join(",");

export const latenessCounts: Model = {
  name: "lateness_counts",

  // What a quarter hour received of several days lies in a row a day: a day is cleared by its own rows.
  async fold(tx) {
    await tx`
      insert into lateness_counts as l (project_id, day, quarter, class, events, max_lateness)
      select project_id, (event_time at time zone 'UTC')::date, date_bin('15 minutes', received_at, 'epoch'),
        case
          when flags & ${flag.historical}::int <> 0 then ${historicalClass}::int
          else width_bucket(received_at - event_time, ${`{${starts}}`}::interval[])
        end,
        count(*), max(received_at - event_time)
      from weir_fresh
      group by 1, 2, 3, 4
      on conflict (project_id, day, quarter, class) do update
      set events = l.events + excluded.events,
        max_lateness = greatest(l.max_lateness, excluded.max_lateness)`;
  },

  async clear(tx, { project, day }) {
    await tx`delete from lateness_counts where project_id = ${project} and day = ${day}`;
  },

  rows: (tx, { project, day }) =>
    tx`select * from lateness_counts where project_id = ${project} and day = ${day}`,
};
