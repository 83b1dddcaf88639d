// Proves the conservation of events at one moment: every one received is somewhere, and every record too.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TransactionSql } from "postgres";
import type { LogIdentity, LogReader } from "../../shared/log/log.ts";
import { readPositions } from "../fence.ts";
import type { Store } from "../store/store.ts";
import { type InFlight, type PartitionState, readInFlight, type SeenReceipt } from "./in-flight.ts";

/** One invariant of sql/checks; `rows` are the first of those that break it. */
export interface CheckAnswer {
  name: string;
  ok: boolean;
  rows: Record<string, unknown>[];
}

/** received = stored + duplicate + quarantined + expired + erased + in_flight; all in events but `lost`. */
export interface ReconcileAnswer {
  /** Nothing lost, nothing unreadable, no record under another's batch id, and every check holds. */
  ok: boolean;
  received: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  expired: number;
  erased: number;
  /** Events in the log that are not written yet. */
  in_flight: number;
  /** Records, not events: how many events they held nobody knows. */
  lost: number;
  /** Records that cannot be read; those written past are kept whole. */
  unreadable: number;
  /** Records kept whole because another batch has their id. */
  reused: number;
  /** Events whose identity may take two for one, or one for two. */
  weak: number;
  rows_present: number;
  partitions: PartitionState[];
  checks: CheckAnswer[];
}

const checksFolder = join(import.meta.dirname, "../../sql/checks");
const shownRowsMax = 20;

/**
 * Looks at the store in one snapshot and then at the log, so that what is written in between is found in
 * the log, and counted once. Rejects where either cannot be read.
 */
export async function reconcile(options: { store: Store; reader: LogReader }): Promise<ReconcileAnswer> {
  const session = await options.store.writer();
  try {
    return (await session.begin("isolation level repeatable read", (tx) =>
      compare(tx, options.reader),
    )) as ReconcileAnswer;
  } finally {
    await session.end({ timeout: 5 });
  }
}

async function compare(tx: TransactionSql, reader: LogReader): Promise<ReconcileAnswer> {
  // A recount takes as long as it takes, and reading the log too.
  await tx`set local statement_timeout = 0`;
  await tx`set local idle_in_transaction_session_timeout = 0`;
  const positions = await readPositions(tx, reader.identity);
  const sums = await sumLedger(tx);
  const inFlight = await readInFlight(reader, positions);
  const [unwritten, receipts, kept, checks] = [
    await eventsWithoutRow(tx, inFlight.batches),
    await lostReceipts(tx, inFlight.receipts),
    await keptRecords(tx, reader.identity),
    await runChecks(tx),
  ];
  const lost = Math.max(receipts, kept.holes + Number(inFlight.missing));
  const unreadable = kept.unreadable + inFlight.unreadable;
  const isSound = lost === 0 && unreadable === 0 && kept.reused === 0;
  return {
    ok: isSound && checks.every((check) => check.ok),
    ...sums,
    received: sums.received + unwritten,
    in_flight: unwritten,
    lost,
    unreadable,
    reused: kept.reused,
    partitions: inFlight.partitions,
    checks,
  };
}

type Sums = Pick<
  ReconcileAnswer,
  "received" | "stored" | "duplicate" | "quarantined" | "expired" | "erased" | "weak" | "rows_present"
>;

async function sumLedger(tx: TransactionSql): Promise<Sums> {
  const [row] = await tx<[Sums]>`
    select
      coalesce(sum(received), 0)::float8 as received,
      coalesce(sum(stored), 0)::float8 as stored,
      coalesce(sum(duplicate), 0)::float8 as duplicate,
      coalesce(sum(quarantined), 0)::float8 as quarantined,
      coalesce(sum(expired), 0)::float8 as expired,
      coalesce(sum(erased), 0)::float8 as erased,
      coalesce(sum(weak), 0)::float8 as weak,
      (select count(*) from events)::float8 as rows_present
    from ledger_outcomes`;
  return row;
}

/** A resent batch lies in the log again after it was written; it is in flight no more. */
async function eventsWithoutRow(tx: TransactionSql, batches: InFlight["batches"]): Promise<number> {
  let events = 0;
  const ids = [...batches.keys()];
  for (let at = 0; at < ids.length; at += 10_000) {
    const part = ids.slice(at, at + 10_000);
    const rows = await tx`select batch_id from ledger where batch_id = any(${part}::uuid[])`;
    const known = new Set(rows.map((row) => String(row["batch_id"])));
    for (const id of part) if (!known.has(id)) events += batches.get(id) ?? 0;
  }
  return events;
}

// Each run of a collector numbers its records. Below the lowest number it ever called open, every one
// was seen somewhere or given up; what is neither is lost.
async function lostReceipts(tx: TransactionSql, inFlight: readonly SeenReceipt[]): Promise<number> {
  const [row] = await tx`
    with told as (
      select collector, collector_start as start, collector_number as number,
        collector_lowest_open as lowest_open, collector_given_up as given_up
      from ledger
      union all
      select collector, collector_start, collector_number, collector_lowest_open, collector_given_up
      from ledger_retransmissions
      union all
      select collector, collector_start, collector_number, 0, null
      from quarantined_records
      where collector is not null
      union all
      select collector, start, number, lowest_open, given_up
      from jsonb_to_recordset(${tx.json(inFlight as never)}) as r(
        collector text, start bigint, number bigint, lowest_open bigint, given_up bigint[]
      )
    ),
    runs as (
      select collector, start, max(lowest_open) as lowest_open
      from told
      group by collector, start
    ),
    known as (
      select collector, start, number from told
      union
      select collector, start, unnest(given_up) from told
    )
    select coalesce(sum(lowest_open - found), 0)::float8 as lost
    from (
      select r.lowest_open, count(k.number) as found
      from runs r
      left join known k on k.collector = r.collector and k.start = r.start and k.number < r.lowest_open
      group by r.collector, r.start, r.lowest_open
    ) counted`;
  return row?.["lost"] as number;
}

async function keptRecords(
  tx: TransactionSql,
  log: LogIdentity,
): Promise<{ unreadable: number; reused: number; holes: number }> {
  const [row] = await tx<[{ unreadable: number; reused: number; holes: number }]>`
    select
      count(*) filter (where reason = 'record_unreadable')::int as unreadable,
      count(*) filter (where reason = 'batch_id_reused')::int as reused,
      (select coalesce(sum(to_offset - from_offset), 0) from log_holes where log_id = ${log.id})::float8 as holes
    from quarantined_records`;
  return row;
}

async function runChecks(tx: TransactionSql): Promise<CheckAnswer[]> {
  const answers: CheckAnswer[] = [];
  for (const file of readdirSync(checksFolder).sort()) {
    const text = readFileSync(join(checksFolder, file), "utf8");
    const rows = await tx.unsafe(`select * from (${text}) broken limit ${shownRowsMax}`);
    answers.push({ name: file.replace(".sql", ""), ok: rows.length === 0, rows: [...rows] });
  }
  return answers;
}
