// Copies events into the table that is to take their place, a day at a time, and compares every day.
import type { Sql, TransactionSql } from "postgres";
import { reach } from "../../shared/crash-point.ts";

const dayMs = 86_400_000;

interface Day {
  from: Date;
  to: Date;
}

/**
 * Makes every day of `events_next` what it is in `events`, and answers how many rows that are. A day whose
 * ids are the same is passed over: rows are written and removed, and never changed.
 */
export async function copyDays(
  session: Sql,
  copied: (day: string, rows: number) => void = () => {},
): Promise<number> {
  let rows = 0;
  for (let after = Number.NEGATIVE_INFINITY; ; ) {
    const first = await firstAfter(session, after);
    if (first === undefined) return rows;
    const day = { from: new Date(first), to: new Date(first + dayMs) };
    const done = await session.begin("isolation level repeatable read", (tx) => copyDay(tx, day));
    rows += done.rows;
    if (done.isCopied) copied(day.from.toISOString().slice(0, 10), done.rows);
    reach("store_day");
    after = first + dayMs;
  }
}

// The day of the first event of either table from a time on. Ids begin with their time, and have an index.
async function firstAfter(session: Sql, after: number): Promise<number | undefined> {
  const bound = after === Number.NEGATIVE_INFINITY ? "0" : after.toString(16);
  const id = `${bound.padStart(12, "0")}${"0".repeat(20)}`;
  const [row] = await session`
    select (extract(epoch from min(event_time)) * 1000)::float8 as first
    from (
      (select event_time from events where id >= ${id}::uuid order by id limit 1)
      union all
      (select event_time from events_next where id >= ${id}::uuid order by id limit 1)
    ) as either`;
  const first: unknown = row?.["first"];
  return typeof first === "number" ? Math.floor(first / dayMs) * dayMs : undefined;
}

async function copyDay(tx: TransactionSql, day: Day): Promise<{ rows: number; isCopied: boolean }> {
  await tx`
    select
      set_config('statement_timeout', '0', true),
      set_config('idle_in_transaction_session_timeout', '0', true)`;
  const [ours, theirs] = [await idsOf(tx, "events", day), await idsOf(tx, "events_next", day)];
  if (ours.sum === theirs.sum) return { rows: ours.rows, isCopied: false };
  await tx`delete from events_next where event_time >= ${day.from} and event_time < ${day.to}`;
  await tx`
    insert into events_next
    select * from events
    where event_time >= ${day.from} and event_time < ${day.to}
    order by id`;
  const [before, after] = [await rowsOf(tx, "events", day), await rowsOf(tx, "events_next", day)];
  if (before !== after)
    throw new Error(`the events of ${day.from.toISOString()} were not copied as they are`);
  return { rows: ours.rows, isCopied: true };
}

async function idsOf(tx: TransactionSql, table: string, day: Day): Promise<{ rows: number; sum: string }> {
  const [row] = await tx`
    select
      count(*)::float8 as rows,
      concat(count(*), ' ', sum(uuid_hash_extended(id, 0)::numeric), ' ', sum(uuid_hash_extended(id, 1)::numeric)) as sum
    from ${tx(table)}
    where event_time >= ${day.from} and event_time < ${day.to}`;
  return row as unknown as { rows: number; sum: string };
}

// The text of each row is hashed, so that nothing of it can have become something else.
async function rowsOf(tx: TransactionSql, table: string, day: Day): Promise<string> {
  const [row] = await tx`
    select concat(count(*), ' ', sum(hashtextextended(e::text, 0)::numeric)) as sum
    from ${tx(table)} as e
    where event_time >= ${day.from} and event_time < ${day.to}`;
  return String(row?.["sum"]);
}
