// What each person did on each UTC day, by app version, country and the currency of money.
import type { Model } from "./model.ts";

export const personDays: Model = {
  name: "person_days",

  async fold(tx) {
    await tx`
      insert into person_days as d (
        day, project_id, is_identified, number, app_version, country, currency,
        events, active_events, revenue, first_at, last_at
      )
      select (event_time at time zone 'UTC')::date, project_id, is_identified, number, app_version, country,
        case when revenue is not null then currency end,
        count(*), count(*) filter (where type in (select type from active_types)), sum(revenue),
        min(event_time), max(event_time)
      from weir_fresh
      group by 1, 2, 3, 4, 5, 6, 7
      on conflict (day, project_id, is_identified, number, app_version, country, currency) do update
      set events = d.events + excluded.events,
        active_events = d.active_events + excluded.active_events,
        revenue = coalesce(d.revenue + excluded.revenue, d.revenue, excluded.revenue),
        first_at = least(d.first_at, excluded.first_at),
        last_at = greatest(d.last_at, excluded.last_at)`;
  },

  async clear(tx, { project, day }) {
    await tx`delete from person_days where project_id = ${project} and day = ${day}`;
  },

  rows: (tx, { project, day }) =>
    tx`select * from person_days where project_id = ${project} and day = ${day}`,
};
