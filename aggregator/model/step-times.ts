// When each person did what: sorted times, so that the steps of a funnel are looked up instead of sorted.
import type { Model } from "./model.ts";

/** Times in a part that grows no more: less than 2 KiB, so that a row lies in its page as a whole. */
const partTimes = 200;

export const stepTimes: Model = {
  name: "step_times",

  // What comes in the order of time is put behind; what is late is sorted in. Either way one row is written
  // again for each person and type, found by the key, however large the table is thought to be.
  async fold(tx) {
    // The planner does not know how few the places are, and would read the whole table to join them.
    await tx.unsafe("set local enable_hashjoin = off; set local enable_mergejoin = off");
    await tx`
      with grown as materialized (
        select (month at time zone 'UTC')::date as month, project_id, type, is_identified, number, times
        from (
          select number, type, project_id, is_identified, date_trunc('month', event_time, 'UTC') as month,
            array_agg(event_time order by event_time) as times
          from weir_fresh
          where number is not null
          group by 1, 2, 3, 4, 5
        ) as grouped
      ),
      looked as materialized (
        select g.*, last.place, last.part, last.is_full
        from grown g
        left join lateral (
          select s.ctid as place, s.part, cardinality(s.times) >= ${partTimes}::int as is_full
          from step_times s
          where (s.month, s.project_id, s.type, s.is_identified, s.number)
              = (g.month, g.project_id, g.type, g.is_identified, g.number)
          order by s.part desc
          limit 1
        ) as last on true
      ),
      lengthened as (
        update step_times s
        set times = case
          when l.times[1] >= s.times[cardinality(s.times)] then s.times || l.times
          else (select array_agg(moment order by moment) from unnest(s.times || l.times) as moment)
        end
        from looked l
        where s.ctid = l.place and not l.is_full
      )
      insert into step_times (month, project_id, type, is_identified, number, part, times)
      select month, project_id, type, is_identified, number, coalesce(part + 1, 0), times
      from looked
      where place is null or is_full`;
    await tx.unsafe("set local enable_hashjoin = on; set local enable_mergejoin = on");
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

  rows: (tx, { project, day, from, to }) => tx`
    select type, is_identified, number, moment
    from step_times
    cross join unnest(times) as moment
    where month = date_trunc('month', ${day}::date)::date and project_id = ${project}
      and moment >= ${from} and moment < ${to}`,
};
