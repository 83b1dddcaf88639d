// When each person did what: sorted times, so that the steps of a funnel are looked up instead of sorted.
import type { Model } from "./model.ts";

export const stepTimes: Model = {
  name: "step_times",

  // What comes in the order of time is put behind; what is late is sorted in.
  async fold(tx) {
    await tx`
      insert into step_times as s (month, project_id, type, is_identified, number, times)
      select (date_trunc('month', event_time, 'UTC') at time zone 'UTC')::date,
        project_id, type, is_identified, number, array_agg(event_time order by event_time)
      from weir_fresh
      where number is not null
      group by 1, 2, 3, 4, 5
      on conflict (month, project_id, type, is_identified, number) do update
      set times = case
        when excluded.times[1] >= s.times[cardinality(s.times)] then s.times || excluded.times
        else (select array_agg(moment order by moment) from unnest(s.times || excluded.times) as moment)
      end`;
  },

  // Of sorted times those of a day lie between two places.
  async clear(tx, { project, day, from, to }) {
    const isOfMonth = tx`month = date_trunc('month', ${day}::date)::date and project_id = ${project}`;
    const before = tx`width_bucket(${from}::timestamptz - interval '1 microsecond', times)`;
    const upTo = tx`width_bucket(${to}::timestamptz - interval '1 microsecond', times)`;
    await tx`
      delete from step_times
      where ${isOfMonth} and ${before} = 0 and ${upTo} = cardinality(times)`;
    await tx`
      update step_times
      set times = times[:${before}] || times[${upTo} + 1:]
      where ${isOfMonth} and ${before} < ${upTo}`;
  },
};
