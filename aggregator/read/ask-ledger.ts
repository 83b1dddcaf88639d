// Asks for the conservation line: cheap enough for once a second, exact for one moment.
import type { Sql, TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import {
  type Answer,
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
  type LedgerSum,
  ledgerParameters,
  ledgerRows,
  ledgerSpan,
  readPositions,
  sumLedger,
} from "./ledger.ts";
import { readStored } from "./range.ts";

/** Sums kept from snapshot to snapshot while nothing was written. */
const sumsKeptMax = 16;
/** Kept sums are made anew after this, whatever the positions say. */
const sumsKeptMs = 60_000;

/** Answers /v1/ledger; `in_flight` counts what the log holds beyond the store. */
export function createLedgerQuestion(
  sql: Sql,
  reader: LogReader,
  clock: Clock,
): (query: Query) => Promise<Answer> {
  const inFlight = createInFlight(reader, clock.now);
  const kept = new Map<string, { mark: string; at: number; sums: LedgerSum[] }>();

  /** The ledger changes only together with a position, so equal positions mean equal sums. */
  async function sums(tx: TransactionSql, asked: LedgerAsked, mark: string): Promise<LedgerSum[]> {
    const key = JSON.stringify([asked.by, asked.project, asked.from, asked.to, asked.tz]);
    const found = kept.get(key);
    if (found !== undefined && found.mark === mark && clock.now() - found.at < sumsKeptMs) return found.sums;
    const made = await sumLedger(tx, asked, await ledgerSpan(tx, asked));
    kept.delete(key);
    kept.set(key, { mark, at: clock.now(), sums: made });
    if (kept.size > sumsKeptMax) kept.delete(kept.keys().next().value!);
    return made;
  }

  return async (query) => {
    const asked = readParameters(ledgerParameters, query);
    // The log is read before the snapshot: what is stored in between is then no longer in flight.
    const before = await inSnapshot(sql, (tx) => readPositions(tx, reader.identity));
    const waiting = await inFlight.look(before.next);
    return inSnapshot(sql, async (tx) => {
      const { next, mark } = await readPositions(tx, reader.identity);
      const span = await ledgerSpan(tx, asked);
      const found = await sums(tx, asked, mark);
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
          newest_stored_at: newestOf(found),
          unread_records: unreadOf(waiting, next),
          unreadable: unreadableOf(waiting, ahead).join("; ") || null,
        },
      };
    });
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

function newestOf(sums: readonly LedgerSum[]): string | null {
  const newest = Math.max(...sums.map((sum) => sum.newestStoredMs ?? 0), 0);
  return newest === 0 ? null : iso(newest);
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
