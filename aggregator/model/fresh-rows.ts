// Fills the temporary table of what the models are to fold, and gives the people in it their numbers.
import type { TransactionSql } from "postgres";
import { freshColumns, type StaleDay } from "./model.ts";

/** Makes the temporary table of this session; a commit empties it. */
export async function makeFresh(tx: TransactionSql): Promise<void> {
  await tx.unsafe(
    `create temp table if not exists weir_fresh (${freshColumns}, person text) on commit delete rows`,
  );
}

/**
 * Takes notes of up to `idsMax` events out, the newest days first: what happens now is never behind what is
 * loaded from the past. Answers how many events they named; those removed since are not filled in.
 */
export async function takeFresh(tx: TransactionSql, idsMax: number): Promise<number> {
  const taken = await tx<{ day: string; ids: string; count: number }[]>`
    delete from fresh_events
    where mark in (
      select mark
      from (
        select mark, sum(cardinality(ids)) over (order by day desc, mark) - cardinality(ids) as before
        from (select mark, day, ids from fresh_events order by day desc, mark limit 1000) as newest
      ) as counted
      where before < ${idsMax}
    )
    returning day::text, ids::text, cardinality(ids) as count`;
  if (taken.length === 0) return 0;
  const days = taken.map((row) => row.day).sort();
  const lists = taken.map((row) => ({ ids: row.ids }));
  await fill(
    tx,
    tx`
      where e.id in (
          select unnest(ids::uuid[]) from jsonb_to_recordset(${tx.json(lists)}) as r(ids text)
        )
        and e.event_time >= ${days[0]!}::date::timestamp at time zone 'UTC'
        and e.event_time < (${days.at(-1)!}::date + 1)::timestamp at time zone 'UTC'`,
  );
  return taken.reduce((sum, row) => sum + row.count, 0);
}

/** Fills in all events of a day, and takes the notes of them out. */
export async function takeDay(tx: TransactionSql, { project, day, from, to }: StaleDay): Promise<void> {
  await tx`delete from fresh_events where project_id = ${project} and day = ${day}`;
  await fill(tx, tx`where e.project_id = ${project} and e.event_time >= ${from} and e.event_time < ${to}`);
}

async function fill(tx: TransactionSql, source: ReturnType<typeof tx>): Promise<void> {
  await tx`
    insert into weir_fresh
    select e.id, e.project_id, e.event_time, p.number, e.user_id is not null, e.type, e.country, e.city, e.device,
      e.app_version, e.session_id, e.revenue, e.currency, coalesce(e.user_id, e.anonymous_id)
    from events e
    left join persons p on p.project_id = e.project_id and p.person = coalesce(e.user_id, e.anonymous_id)
    ${source}`;
  const added = await tx`
    with unknown as (
      select distinct project_id, person from weir_fresh where number is null and person is not null
    )
    insert into persons (project_id, number, person)
    select u.project_id,
      coalesce((select max(number) from persons p where p.project_id = u.project_id), -1)
        + row_number() over (partition by u.project_id order by u.person),
      u.person
    from unknown u`;
  if (added.count > 0) {
    await tx`
      update weir_fresh f
      set number = p.number
      from persons p
      where f.number is null and p.project_id = f.project_id and p.person = f.person`;
  }
  await tx`analyze weir_fresh`;
}
