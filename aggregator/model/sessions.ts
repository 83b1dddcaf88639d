// Sessions of people by a gap of 30 minutes, kept in pieces that end with the UTC day.
import { sessionGapMs } from "../read/sessions-raw.ts";
import type { Model } from "./model.ts";

export const personSessions: Model = {
  name: "person_sessions",

  // Events of one half hour are of one piece, whatever lies between them. Beside the pieces that lie no further
  // than a gap from them they are joined again into the fewest pieces, which does not depend on any order.
  async fold(tx) {
    const gap = tx`interval '1 millisecond' * ${sessionGapMs}::int`;
    await tx`
      with halves as materialized (
        select (min(event_time) at time zone 'UTC')::date as day, project_id, is_identified, number,
          min(event_time) as started_at, max(event_time) as ended_at, count(*) as events
        from weir_fresh
        where number is not null
        group by number, project_id, is_identified, date_bin('30 minutes', event_time, 'epoch')
      ),
      spans as (
        select number, day, project_id, is_identified, min(started_at) - ${gap} as lower, max(ended_at) + ${gap} as upper
        from halves
        group by 1, 2, 3, 4
      ),
      -- Each span looks for its pieces by the key, however large the table is thought to be.
      touched as (
        delete from person_sessions
        where ctid = any(array(
          select piece.ctid
          from spans s
          cross join lateral (
            select p.ctid
            from person_sessions p
            where (p.day, p.project_id, p.is_identified, p.number)
                = (s.day, s.project_id, s.is_identified, s.number)
              and p.started_at <= s.upper
              and p.ended_at >= s.lower
            offset 0
          ) as piece
        ))
        returning day, project_id, is_identified, number, started_at, ended_at, events
      ),
      begun as (
        select *, day <> lag(day) over own
            or started_at - max(ended_at) over (own rows between unbounded preceding and 1 preceding) > ${gap} as is_new
        from (select * from halves union all select * from touched) as pieces
        window own as (partition by number, project_id, is_identified order by started_at)
      ),
      placed as (
        select *, count(*) filter (where is_new) over own as place
        from begun
        window own as (partition by number, project_id, is_identified order by started_at rows unbounded preceding)
      )
      insert into person_sessions (day, project_id, is_identified, number, started_at, ended_at, events)
      select day, project_id, is_identified, number, min(started_at), max(ended_at), sum(events)
      from placed
      group by number, place, project_id, is_identified, day`;
  },

  async clear(tx, { project, day }) {
    await tx`delete from person_sessions where project_id = ${project} and day = ${day}`;
  },

  rows: (tx, { project, day }) =>
    tx`select * from person_sessions where project_id = ${project} and day = ${day}`,
};
