// Fills the temporary table of what the models are to fold, and gives the people in it their numbers.
import type { PendingQuery, Row, TransactionSql } from "postgres";
import { freshColumns, type StaleDay } from "./model.ts";

/** Notes looked through for one step. */
const notesMax = 1_000;

const dayMs = 24 * 60 * 60_000;

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
export async function takeFresh(tx: TransactionSql, idsMax: number, only?: StaleDay): Promise<number> {
  const notes = await tx<{ day: string; ids: string; count: number }[]>`
    delete from fresh_events
    where mark in (
      select mark
      from (
        select mark, sum(cardinality(ids)) over (order by day desc, mark) - cardinality(ids) as before
        from (
          select mark, day, ids
          from fresh_events
          ${only === undefined ? tx`` : tx`where project_id = ${only.project} and day = ${only.day}`}
          order by day desc, mark
          limit ${notesMax}
        ) as newest
      ) as counted
      where before < ${idsMax}
    )
    returning day::text, ids::text, cardinality(ids) as count`;
  // A day at a time, with bounds the planner knows: else TimescaleDB looks for each id in every chunk.
  for (const [day, own] of Map.groupBy(notes, (note) => note.day)) {
    const from = new Date(`${day}T00:00:00Z`);
    const to = new Date(from.getTime() + dayMs);
    const ids = `{${own.map((note) => note.ids.slice(1, -1)).join(",")}}`;
    await fill(
      tx,
      tx`(
        select * from events
        where id = any(${ids}::uuid[]) and event_time >= ${from} and event_time < ${to}
        offset 0
      ) as e`,
    );
  }
  if (notes.length > 0) await nameNew(tx);
  return notes.reduce((sum, { count }) => sum + count, 0);
}

/** Fills in all events of a day, and takes the notes of them out. */
export async function takeDay(tx: TransactionSql, { project, day, from, to }: StaleDay): Promise<void> {
  await tx`delete from fresh_events where project_id = ${project} and day = ${day}`;
  await fill(
    tx,
    tx`(
      select * from events where project_id = ${project} and event_time >= ${from} and event_time < ${to}
    ) as e`,
  );
  await nameNew(tx);
}

const fill = (tx: TransactionSql, source: PendingQuery<Row[]>) => tx`
  insert into weir_fresh
  select e.id, e.project_id, e.event_time, p.number, e.user_id is not null, e.type, e.country, e.city, e.device,
    e.app_version, e.session_id, e.revenue, e.currency, e.received_at, e.flags,
    coalesce(e.user_id, e.anonymous_id)
  from ${source}
  left join persons p on p.project_id = e.project_id and p.person = coalesce(e.user_id, e.anonymous_id)`;

async function nameNew(tx: TransactionSql): Promise<void> {
  // Where a project's numbers end is looked up once: looked up for each row, it is behind all rows put in before.
  const added = await tx`
    with unknown as materialized (
      select distinct project_id, person from weir_fresh where number is null and person is not null
    ),
    known as materialized (
      select project_id,
        coalesce((select max(number) from persons where persons.project_id = projects.project_id), -1) as last
      from (select distinct project_id from unknown) as projects
    )
    insert into persons (project_id, number, person)
    select project_id, last + row_number() over (partition by project_id order by person), person
    from unknown
    join known using (project_id)`;
  if (added.count > 0) {
    await tx`
      update weir_fresh f
      set number = p.number
      from persons p
      where f.number is null and p.project_id = f.project_id and p.person = f.person`;
  }
  await analyzeFresh(tx);
}

/**
 * Without a sample a join of thousands is planned as one of a few. A small one is enough, and it stays good while
 * steps are of about one size: each new one would have every statement of the models planned anew.
 */
async function analyzeFresh(tx: TransactionSql): Promise<void> {
  const [row] = await tx<[{ known: number; rows: number }]>`
    select reltuples as known, (select count(*)::int from weir_fresh) as rows
    from pg_class
    where oid = 'pg_temp.weir_fresh'::regclass`;
  if (row.known > 0 && row.rows < 4 * row.known && row.known < 4 * row.rows) return;
  await tx`set local default_statistics_target = 10`;
  await tx`analyze weir_fresh`;
}
