// Drops the chunks and partitions in which removals have left no row: each costs every question something.
import type { TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import { refreshHours } from "../store/continuous.ts";
import { errorCode, isPassing } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

const dayMs = 86_400_000;
/** Looked at in one round, some ms each. In any order, so that none waits for ever. */
const lookedAtMax = 500;
/** Whoever writes or reads is not to be kept waiting for what can be dropped in the next round. */
const lockMs = 1_000;

interface Chunk {
  name: string;
  from: Date;
  to: Date;
}

/**
 * One round: what lies wholly before today and is empty goes. Answers how many. Aggregators may run it side by
 * side: one of them drops, and counts again behind the lock that keeps writers out.
 */
export async function dropEmpty(store: Store, clock: Clock): Promise<number> {
  // It asks anew what the store is, which may have been moved since this process began.
  await refreshHours(store).catch((error: unknown) => {
    if (!isPassing(error)) throw error;
  });
  const today = new Date(Math.floor(clock.now() / dayMs) * dayMs);
  let dropped = 0;
  for (const chunk of await removedFrom(store, today)) {
    const [look] = await store.sql`select ${isEmpty(store, chunk)} as empty`;
    if (look?.["empty"] === true && (await drop(store, chunk))) dropped += 1;
  }
  return dropped;
}

// Those of the days on which something was removed.
async function removedFrom(store: Store, today: Date): Promise<Chunk[]> {
  const { sql, schema } = store;
  const all =
    store.flavour === "postgresql"
      ? sql`
        select c.oid::regclass::text as name, bounds[1]::timestamptz as from, bounds[2]::timestamptz as to
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        cross join lateral regexp_match(
          pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''(.+)''\\) TO \\(''(.+)''\\)'
        ) as bounds
        where i.inhparent = 'events'::regclass`
      : sql`
        select format('%I.%I', chunk_schema, chunk_name) as name, range_start as from, range_end as to
        from timescaledb_information.chunks
        where hypertable_schema = ${schema} and hypertable_name = 'events'`;
  return await sql<Chunk[]>`
    select c.* from (${all}) as c
    where c.to <= ${today}
      and exists (
        select 1 from row_removals r
        where r.day >= (c.from at time zone 'UTC')::date and r.day < (c.to at time zone 'UTC')::date
      )
    order by random()
    limit ${lookedAtMax}`;
}

async function drop(store: Store, chunk: Chunk): Promise<boolean> {
  try {
    return await store.sql.begin(async (tx) => {
      const [leader] = await tx`
        select
          pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.chunks', 0)) as ours,
          set_config('lock_timeout', ${String(lockMs)}, true)`;
      if (leader?.["ours"] !== true) return false;
      await dropBehindLock(tx, store, chunk);
      return true;
    });
  } catch (error) {
    // 42P01: another has dropped it since it was looked at.
    const isOver = error instanceof FilledError || isPassing(error) || errorCode(error) === "42P01";
    if (isOver) return false;
    throw error;
  }
}

class FilledError extends Error {}

// The parent first, as every writer does: in the other order the two would wait for each other.
async function dropBehindLock(tx: TransactionSql, store: Store, chunk: Chunk): Promise<void> {
  const isPlain = store.flavour === "postgresql";
  if (isPlain) await tx`lock table only events in access exclusive mode`;
  await tx.unsafe(`lock table ${chunk.name} in access exclusive mode`);
  const [look] = await tx`select ${isEmpty(store, chunk)} as empty`;
  if (look?.["empty"] !== true) throw new FilledError();
  if (isPlain) await tx.unsafe(`drop table ${chunk.name}`);
  else
    await tx`select drop_chunks('events', newer_than => ${chunk.from}::timestamptz, older_than => ${chunk.to}::timestamptz)`;
}

// The hours that are kept forget no chunk that is dropped, so what was removed must have left them before.
const isEmpty = ({ sql, flavour }: Store, { from, to }: Chunk) => {
  const kept = sql`select 1 from hourly_dimensions where hour >= ${from} and hour < ${to}`;
  const isForgotten = flavour === "timescale-community" ? sql`and not exists (${kept})` : sql``;
  return sql`not exists (select 1 from events where event_time >= ${from} and event_time < ${to}) ${isForgotten}`;
};
