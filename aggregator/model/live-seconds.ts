// What happened in the last hour by the second, so that windows that end now slide exactly.
import type { Model } from "./model.ts";

/** Events of one fold that are named to whoever looks on. */
const idsMax = 50;

// A fold leaves out what is older than any window that may still be asked for, so the past costs nothing. What is
// ahead of the clock (a client's may be by minutes) is kept until its second has come.
export const liveSeconds: Model = {
  name: "live_seconds",

  async fold(tx) {
    await tx`
      with fresh as materialized (
        select project_id, date_trunc('second', event_time) as second, type, is_identified, number, id
        from weir_fresh
        where event_time >= date_trunc('second', now()) - interval '1 hour'
          and event_time < now() + interval '1 hour'
      ),
      marked as materialized (select nextval('live_marks') as mark),
      past as (delete from live_seconds where second < date_trunc('second', now()) - interval '1 hour'),
      past_folds as (delete from live_folds where folded_at < now() - interval '5 minutes'),
      noted as (
        insert into live_folds (mark, project_id, events, ids)
        select (select mark from marked), project_id, count(*),
          (array_agg(id))[greatest(1, count(*) - ${idsMax - 1}::int):]
        from fresh
        group by project_id
      )
      insert into live_seconds as l (project_id, second, type, is_identified, mark, events, people)
      select project_id, second, type, is_identified, (select mark from marked), count(*),
        coalesce(array_agg(number) filter (where number is not null), '{}')
      from fresh
      group by 1, 2, 3, 4
      on conflict (second, project_id, type, is_identified) do update
      set mark = excluded.mark, events = l.events + excluded.events, people = l.people || excluded.people`;
  },

  // Who looks on learns of rows by their mark, and so would not miss any that are gone.
  async clear(tx, { project, from, to }) {
    await tx`
      with gone as (
        delete from live_seconds where project_id = ${project} and second >= ${from} and second < ${to} returning 1
      )
      insert into live_folds (mark, project_id, events)
      select nextval('live_marks'), ${project}, 0
      where exists (select 1 from gone)`;
  },

  rows: (tx, { project, from, to }) => tx`
    select second, type, is_identified, events,
      array(select distinct unnest(people) as number order by number) as numbers
    from live_seconds
    where project_id = ${project}
      and second >= greatest(${from}, date_trunc('second', now()) - interval '1 hour')
      and second < ${to}`,
};
