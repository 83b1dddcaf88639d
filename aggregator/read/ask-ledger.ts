// Asks for the conservation line: cheap enough for once a second, exact for one moment.
import type { Sql, TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import {
  type Answer,
  bounded,
  boundRows,
  inSnapshot,
  iso,
  type Query,
  readParameters,
  watermarkOf,
} from "./answer.ts";
import { createInFlight, type Waiting } from "./in-flight.ts";
import {
  knownBatches,
  type LedgerAsked,
  type LedgerSpan,
  type LedgerSum,
  ledgerParameters,
  ledgerRows,
  ledgerSpan,
  leftApart,
  newestStored,
  readPositions,
  sumLedger,
} from "./ledger.ts";
import { readStored } from "./range.ts";

/** Sums kept from snapshot to snapshot while nothing was written. */
const sumsKeptMax = 16;
/** Kept sums are made anew after this, whatever the positions say. */
const sumsKeptMs = 60_000;

/** What one snapshot found, for the next ones with the same mark. */
interface Kept {
  mark: string;
  at: number;
  span: LedgerSpan;
  sums: LedgerSum[];
  newestStoredMs: number | null;
  apart: string[];
}

/** Answers /v1/ledger; `in_flight` counts what the log holds beyond the store. */
export function createLedgerQuestion(
  sql: Sql,
  reader: LogReader,
  clock: Clock,
): (query: Query, signal?: AbortSignal) => Promise<Answer> {
  const inFlight = createInFlight(reader, clock.now);
  const kept = new Map<string, Kept>();

  /** The ledger changes only together with a position, so equal positions mean equal sums. */
  async function sums(tx: TransactionSql, asked: LedgerAsked, mark: string): Promise<Kept> {
    const key = JSON.stringify([asked.by, asked.project, asked.from, asked.to, asked.tz]);
    const found = kept.get(key);
    if (found !== undefined && found.mark === mark && clock.now() - found.at < sumsKeptMs) return found;
    const span = await ledgerSpan(tx, asked);
    const made: Kept = {
      mark,
      at: clock.now(),
      span,
      sums: await sumLedger(tx, asked, span),
      newestStoredMs: await newestStored(tx, asked),
      apart: await leftApart(tx, reader.identity),
    };
    kept.delete(key);
    kept.set(key, made);
    if (kept.size > sumsKeptMax) kept.delete(kept.keys().next().value!);
    return made;
  }

  return async (query, signal) => {
    const asked = readParameters(ledgerParameters, query);
    // The log is read before the snapshot: what is stored in between is then no longer in flight.
    const before = await bounded(readPositions(sql, reader.identity));
    const waiting = await inFlight.look(before.next);
    const work = async (tx: TransactionSql): Promise<Answer> => {
      const { next, mark } = await readPositions(tx, reader.identity);
      const { span, sums: found, newestStoredMs, apart } = await sums(tx, asked, mark);
      const ahead = waiting.records.filter((record) => record.offset >= (next.get(record.partition) ?? 0n));
      const [now] = await tx<{ ms: number }[]>`select (extract(epoch from now()) * 1000)::float8 as ms`;
      const known = await knownBatches(tx, batchIdsOf(ahead));
      return {
        data: boundRows(ledgerRows(asked, span, found, distinct(ahead, known))),
        meta: {
          from: span.from === null ? null : iso(span.from),
          to: span.to === null ? null : iso(span.to),
          as_of: iso(Math.floor(now!.ms)),
          watermark: watermarkOf(await readStored(tx)),
          newest_stored_at: newestStoredMs === null ? null : iso(newestStoredMs),
          unread_records: unreadOf(waiting, next),
          unreadable: [...apart, ...unreadableOf(waiting, ahead)].join("; ") || null,
        },
      };
    };
    return inSnapshot(sql, work, signal);
  };
}

function batchIdsOf(records: Waiting["records"]): string[] {
  return records.filter((record) => !record.unreadable).map((record) => record.batchId);
}

// A batch sent again lies in the log twice and counts once.
function distinct(records: Waiting["records"], known: ReadonlySet<string>): Waiting["records"] {
  const seen = new Set(known);
  return records.filter((record) => {
    if (record.unreadable || seen.has(record.batchId)) return false;
    seen.add(record.batchId);
    return true;
  });
}

function unreadOf(waiting: Waiting, next: ReadonlyMap<number, bigint>): number {
  let unread = 0n;
  for (const [partition, from] of waiting.unread) {
    const written = next.get(partition) ?? 0n;
    const first = written > from ? written : from;
    const end = waiting.ends.get(partition)!;
    if (end > first) unread += end - first;
  }
  return Number(unread);
}

function unreadableOf(waiting: Waiting, ahead: Waiting["records"]): string[] {
  const broken = ahead.filter((record) => record.unreadable);
  return [
    ...waiting.unreadable,
    ...broken.map((record) => `partition ${record.partition}: the record at offset ${record.offset}`),
  ];
}
