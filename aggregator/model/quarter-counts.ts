// Events and money by quarter hour of UTC, which add up to the days of any time zone.
import type { Model } from "./model.ts";

export const quarterCounts: Model = {
  name: "quarter_counts",

  // An event without revenue has no currency here, whatever it carries: it would only be another row.
  async fold(tx) {
    await tx`
      insert into quarter_counts as q
        (project_id, quarter, type, is_identified, currency, events, revenue, revenue_events)
      select project_id, date_bin('15 minutes', event_time, 'epoch'), type, is_identified,
        case when revenue is not null then currency end,
        count(*), coalesce(sum(revenue), 0), count(revenue)
      from weir_fresh
      group by 1, 2, 3, 4, 5
      on conflict (project_id, quarter, type, is_identified, currency) do update
      set events = q.events + excluded.events,
        revenue = q.revenue + excluded.revenue,
        revenue_events = q.revenue_events + excluded.revenue_events`;
  },

  async clear(tx, { project, from, to }) {
    await tx`delete from quarter_counts where project_id = ${project} and quarter >= ${from} and quarter < ${to}`;
  },

  rows: (tx, { project, from, to }) =>
    tx`select * from quarter_counts where project_id = ${project} and quarter >= ${from} and quarter < ${to}`,
};
