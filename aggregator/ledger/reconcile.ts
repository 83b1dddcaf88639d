// Proves the conservation of events at one moment: every one received is somewhere, and every record too.
import type { TransactionSql } from "postgres";
import { ledgerDays } from "../../shared/limits.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { readPositions } from "../fence.ts";
import { type LedgerAsked, ledgerRows, ledgerSpan, sumLedger } from "../read/ledger.ts";
import type { AnswerRow } from "../read/question.ts";
import { whileWanted } from "../store/cancel.ts";
import type { Store } from "../store/store.ts";
import { type Buffered, readBuffers } from "./buffers.ts";
import { type CheckAnswer, type ReportAnswer, runChecks, runReports } from "./checks.ts";
import { type EntryKind, type LedgerEntry, logEntries, withAcknowledgements } from "./entries.ts";
import { type InFlight, type PartitionState, readInFlight, type UnwrittenBatch } from "./in-flight.ts";
import { keptRecords, missedReceipts } from "./lost.ts";
import { type ProofSettings, readSpools, type Spooled } from "./spools.ts";

/** received = stored + duplicate + quarantined + expired + erased + in_flight; all in events but `lost`. */
export interface ReconcileAnswer {
  /** No entry that is not acknowledged, nothing unreadable or kept apart, and every check holds. */
  ok: boolean;
  received: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  expired: number;
  erased: number;
  /** Events in the log and in spools that are not written yet. */
  in_flight: number;
  /** Records, not events: how many events they held nobody knows. */
  lost: number;
  /** Where records may be missing and nobody knows how many, a sentence each, unless acknowledged. */
  unaccounted: string[];
  /** What is behind both, acknowledged or not. */
  entries: LedgerEntry[];
  /** Records and spools that cannot be read; records written past are kept whole. */
  unreadable: number;
  /** Spools that were to be looked into and could not be, with why. */
  unreadable_spools: string[];
  /** Records kept whole because another batch has their id. */
  reused: number;
  /** Records kept whole because nobody can tell any more whether their batch was counted. */
  too_old: number;
  /** Events whose identity may take two for one, or one for two. */
  weak: number;
  rows_present: number;
  partitions: PartitionState[];
  checks: CheckAnswer[];
  /** The same sums for a part, or part by part, where that was asked for; the proof is over everything. */
  groups: AnswerRow[];
  /** What sql/reports found, where that was asked for; no fault of ours. */
  reports: ReportAnswer[];
}

export interface ReconcileOptions extends Partial<ProofSettings> {
  store: Store;
  reader: LogReader;
  /** Which sums are wanted besides. */
  asked?: LedgerAsked | undefined;
  /** Runs the reports, too. */
  reports?: boolean | undefined;
  /** Ends the statement that runs; the proof rejects then. */
  signal?: AbortSignal | undefined;
}

/**
 * Looks into buffers and spools, then at the store in one snapshot, then at the log. A record goes from them to log
 * to store, so one that moves meanwhile is seen at least once, and by its batch id it is counted once. Rejects
 * where store or log cannot be read; a spool that cannot be is named.
 */
export async function reconcile(options: ReconcileOptions): Promise<ReconcileAnswer> {
  const buffered = options.buffers === undefined ? undefined : await readBuffers(options.buffers);
  const spooled = joined(buffered, await readSpools(options.spools ?? []));
  const session = await options.store.writer();
  try {
    const work = (tx: TransactionSql) => compare(tx, options, spooled);
    const wanted = options.signal === undefined ? work : whileWanted(session, options.signal, work);
    return (await session.begin("isolation level repeatable read", wanted)) as ReconcileAnswer;
  } finally {
    await session.end({ timeout: 5 });
  }
}

async function compare(
  tx: TransactionSql,
  { reader, asked, reports, silentDays = ledgerDays }: ReconcileOptions,
  spooled: Spooled,
): Promise<ReconcileAnswer> {
  // A recount takes as long as it takes, and reading the log too.
  await tx`set local statement_timeout = 0`;
  await tx`set local idle_in_transaction_session_timeout = 0`;
  const positions = await readPositions(tx, reader.identity);
  const sums = await sumWhole(tx);
  const inFlight = await readInFlight(reader, positions);
  const [waiting, kept, entries, checks] = [
    await withoutRow(tx, new Map([...spooled.batches, ...inFlight.batches])),
    await keptRecords(tx),
    await withAcknowledgements(tx, [
      ...(await missedReceipts(tx, [...spooled.receipts, ...inFlight.receipts], silentDays)),
      ...(await logEntries(tx, reader.identity)),
    ]),
    await runChecks(tx),
  ];
  // What the log lacks, its collectors miss too; what was cut off of it may have been read before.
  const missing = Number(inFlight.missing);
  const lost = Math.max(recordsOf(entries, "numbers"), recordsOf(entries, "hole", "shorter") + missing);
  const unreadable = kept.unreadable + inFlight.unreadable + spooled.unreadable;
  const unwritten = waiting.reduce((sum, { events }) => sum + events, 0);
  const open = entries.filter(({ acknowledged }) => acknowledged === null);
  const isSound = [open.length, missing, unreadable, kept.reused, kept.tooOld].every((count) => count === 0);
  return {
    ok: isSound && checks.every((check) => check.ok),
    ...sums,
    received: sums.received + unwritten,
    in_flight: unwritten,
    lost,
    unaccounted: open.filter(({ records }) => records === 0).map(({ what }) => what),
    entries,
    unreadable,
    unreadable_spools: spooled.places,
    reused: kept.reused,
    too_old: kept.tooOld,
    partitions: inFlight.partitions,
    checks,
    groups: asked === undefined ? [] : await groupsOf(tx, asked, waiting),
    reports: reports === true ? await runReports(tx) : [],
  };
}

function joined(buffered: Buffered | undefined, spooled: Spooled): Spooled {
  if (buffered === undefined) return spooled;
  return {
    ...spooled,
    batches: new Map([...buffered.batches, ...spooled.batches]),
    unreadable: buffered.unreadable + spooled.unreadable,
    places: [...buffered.places, ...spooled.places],
  };
}

const recordsOf = (entries: readonly LedgerEntry[], ...kinds: readonly EntryKind[]): number =>
  entries.reduce((sum, { kind, records }) => sum + (kinds.includes(kind) ? records : 0), 0);

type Sums = Pick<
  ReconcileAnswer,
  "received" | "stored" | "duplicate" | "quarantined" | "expired" | "erased" | "weak" | "rows_present"
>;

async function sumWhole(tx: TransactionSql): Promise<Sums> {
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
    from ledger_counts`;
  return row;
}

async function groupsOf(
  tx: TransactionSql,
  asked: LedgerAsked,
  waiting: readonly UnwrittenBatch[],
): Promise<AnswerRow[]> {
  const span = await ledgerSpan(tx, asked);
  return ledgerRows(asked, span, await sumLedger(tx, asked, span), waiting);
}

/** A resent batch lies in the log again after it was written; it is in flight no more. */
async function withoutRow(tx: TransactionSql, batches: InFlight["batches"]): Promise<UnwrittenBatch[]> {
  const waiting: UnwrittenBatch[] = [];
  const ids = [...batches.keys()];
  for (let at = 0; at < ids.length; at += 10_000) {
    const part = ids.slice(at, at + 10_000);
    const rows = await tx`select batch_id from ledger where batch_id = any(${part}::uuid[])`;
    const known = new Set(rows.map((row) => String(row["batch_id"])));
    waiting.push(...part.filter((id) => !known.has(id)).map((id) => batches.get(id)!));
  }
  return waiting;
}
