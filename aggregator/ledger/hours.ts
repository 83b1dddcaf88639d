// Folds old batches into hourly sums: the same answers from fewer rows, and the batches' ids forgotten.
import type { TransactionSql } from "postgres";
import type { LogReader } from "../../shared/log/log.ts";
import { readPositions } from "../fence.ts";
import type { Store } from "../store/store.ts";
import { moveHorizon } from "./horizon.ts";

export interface FoldOptions {
  store: Store;
  reader: LogReader;
  /** How long a batch stands by itself. */
  days: number;
  nowMs: number;
  /** Rows of one step, each a transaction. */
  rowsMax?: number | undefined;
}

const dayMs = 86_400_000;
/** Some hundred ms of one transaction. */
const rowsMaxDefault = 5_000;

/**
 * One step: the batches that were received and written `days` before the oldest record that still waits in
 * the log, so that no copy of one which lies there is taken for a new batch. Answers the rows folded; fewer
 * than `rowsMax` when there are no more, 0 also where another aggregator is at it.
 */
export async function foldStep({
  store,
  reader,
  days,
  nowMs,
  rowsMax = rowsMaxDefault,
}: FoldOptions): Promise<number> {
  const before = new Date((await oldestWaiting(store, reader, nowMs)) - days * dayMs);
  return (await store.sql.begin(async (tx) => {
    const [leader] = await tx<[{ ours: boolean }]>`
      select pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.ledger_hours', 0)) as ours`;
    if (!leader.ours) return 0;
    const folded = await foldBatches(tx, before, rowsMax);
    if (folded > 0) await moveHorizon(tx, before);
    return folded + (folded < rowsMax ? await foldFurther(tx, before, rowsMax - folded) : 0);
  })) as number;
}

/** When the log took the oldest record that is not written, epoch ms; `nowMs` where none waits. */
async function oldestWaiting(store: Store, reader: LogReader, nowMs: number): Promise<number> {
  const positions = await readPositions(store.sql, reader.identity);
  let oldest = nowMs;
  for (const [partition, { start, end }] of await reader.ranges()) {
    const next = positions.get(partition)?.nextOffset ?? 0n;
    const from = next > start ? next : start;
    if (from >= end) continue;
    for await (const record of reader.read(partition, from, from + 1n)) {
      oldest = Math.min(oldest, record.time);
    }
  }
  return oldest;
}

async function foldBatches(tx: TransactionSql, before: Date, rowsMax: number): Promise<number> {
  const [row] = await tx<[{ folded: number }]>`
    with old as (
      select batch_id
      from ledger
      where stored_at < ${before} and received_at < ${before}
      limit ${rowsMax}
      for update skip locked
    ),
    gone as (
      delete from ledger l using old where l.batch_id = old.batch_id returning l.*
    ),
    hours as (
      insert into ledger_hours as h (
        project_id, hour, log_id, batches, received, stored, duplicate, quarantined, expired, erased, weak,
        newest_stored_at
      )
      select
        project_id, date_trunc('hour', received_at, 'UTC'), log_id, count(*), sum(received), sum(stored),
        sum(duplicate_claimed + duplicate_stored + refused_duplicate),
        sum(conflict + unwritable + refused - refused_duplicate), sum(expired), sum(erased), sum(weak),
        max(stored_at) filter (where stored > 0)
      from gone
      group by 1, 2, 3
      on conflict (project_id, hour, log_id) do update set
        batches = h.batches + excluded.batches,
        received = h.received + excluded.received,
        stored = h.stored + excluded.stored,
        duplicate = h.duplicate + excluded.duplicate,
        quarantined = h.quarantined + excluded.quarantined,
        expired = h.expired + excluded.expired,
        erased = h.erased + excluded.erased,
        weak = h.weak + excluded.weak,
        newest_stored_at = greatest(h.newest_stored_at, excluded.newest_stored_at)
    ),
    places as (${notePlaces(tx)}),
    runs as (${noteRuns(tx, tx`collector_spool`, tx`stored_at`)})
    select count(*)::int as folded from gone`;
  return row.folded;
}

// Further records of batches count nowhere; what stays of them is that they were there.
async function foldFurther(tx: TransactionSql, before: Date, rowsMax: number): Promise<number> {
  const [row] = await tx<[{ folded: number }]>`
    with old as (
      select log_id, partition, log_offset
      from ledger_retransmissions
      where noted_at < ${before}
      limit ${rowsMax}
      for update skip locked
    ),
    gone as (
      delete from ledger_retransmissions l using old
      where l.log_id = old.log_id and l.partition = old.partition and l.log_offset = old.log_offset
      returning l.*
    ),
    places as (${notePlaces(tx)}),
    runs as (${noteRuns(tx, tx`0`, tx`noted_at`)})
    select count(*)::int as folded from gone`;
  return row.folded;
}

const notePlaces = (tx: TransactionSql) => tx`
  insert into ledger_folded as f (log_id, partition, records, last_offset)
  select log_id, partition, count(*), max(log_offset)
  from gone
  group by 1, 2
  on conflict (log_id, partition) do update set
    records = f.records + excluded.records,
    last_offset = greatest(f.last_offset, excluded.last_offset)`;

// The numbers of a run lie close together, so all of them are a few ranges.
const noteRuns = (tx: TransactionSql, spool: ReturnType<typeof tx>, heardAt: ReturnType<typeof tx>) => tx`
  insert into collector_runs as c (collector, collector_start, collector_spool, lowest_open, numbers, heard_at)
  select collector, collector_start, max(${spool}), max(collector_lowest_open),
    range_agg(int8range(number, number + 1)), max(${heardAt})
  from gone
  cross join lateral (
    select collector_number as number
    union all
    select unnest(collector_given_up)
  ) single
  group by 1, 2
  on conflict (collector, collector_start) do update set
    collector_spool = greatest(c.collector_spool, excluded.collector_spool),
    lowest_open = greatest(c.lowest_open, excluded.lowest_open),
    numbers = c.numbers + excluded.numbers,
    heard_at = greatest(c.heard_at, excluded.heard_at)`;
