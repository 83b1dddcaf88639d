// The conservation line: what was received, and what became of it, from the ledger and the log.
import type { Sql, TransactionSql } from "postgres";
import { z } from "zod";
import type { LogIdentity } from "../../shared/log/log.ts";
import { logEntries, withAcknowledgements } from "../ledger/entries.ts";
import { keptRecords } from "../ledger/lost.ts";
import type { WaitingRecord } from "./in-flight.ts";
import { type Bound, sharedParameters } from "./parameters.ts";
import { type AnswerRow, rowLimit } from "./question.ts";

const { from, to, tz, project, format } = sharedParameters;

export const ledgerParameters = z.strictObject({
  from: from.describe("First moment of received_at, inclusive; everything when absent"),
  to: to.describe("Last moment of received_at, exclusive; a bare date means the end of that day"),
  tz,
  project,
  format,
  by: z.enum(["total", "project", "hour"]).default("total").describe("What the counts are split by"),
});

const count = z.int().min(0);

export const ledgerRow = z.object({
  project: z.string().optional().describe("With by=project"),
  hour: z.iso.datetime().optional().describe("With by=hour: start of the hour of received_at, UTC"),
  received: count.describe("stored + duplicate + quarantined + expired + erased + in_flight"),
  stored: count,
  duplicate: count,
  quarantined: count,
  expired: count,
  erased: count,
  in_flight: count.describe("In the log, not in the store yet, as far as it could be read"),
});

/** What waits, as far as it is counted. */
type Counted = Pick<WaitingRecord, "project" | "receivedAt" | "events">;

/** Counts of one group; `key` is the project or the hour, "" for everything. */
export interface LedgerSum {
  key: string;
  stored: number;
  duplicate: number;
  quarantined: number;
  expired: number;
  erased: number;
}

export type LedgerAsked = z.output<typeof ledgerParameters>;

/** Epoch ms, null where open. */
export interface LedgerSpan {
  from: number | null;
  to: number | null;
}

/** How far the log's partitions are written; it changes whenever the ledger does. */
export interface Positions {
  next: ReadonlyMap<number, bigint>;
  /** Equal for two snapshots exactly when nothing was written between them. */
  mark: string;
}

/** Reads the positions of this log, and the mark over those of all logs. */
export async function readPositions(sql: Sql | TransactionSql, identity: LogIdentity): Promise<Positions> {
  const rows = await sql<{ ours: boolean; partition: number; next_offset: string; epoch: string }[]>`
    select log_id = ${identity.id} and topic = ${identity.topic} as ours,
      partition,
      next_offset::text,
      epoch::text
    from log_positions
    order by log_id, topic, partition`;
  return {
    next: new Map(rows.filter((row) => row.ours).map((row) => [row.partition, BigInt(row.next_offset)])),
    mark: rows.map((row) => `${row.next_offset}.${row.epoch}`).join(" "),
  };
}

/** The span in epoch ms; days begin where the time zone says. */
export async function ledgerSpan(
  tx: TransactionSql,
  asked: Pick<LedgerAsked, "from" | "to" | "tz">,
): Promise<LedgerSpan> {
  const day = async (bound: Bound | undefined, days: number): Promise<number | null> => {
    if (bound === undefined) return null;
    if ("ms" in bound) return bound.ms;
    const [row] = await tx<{ ms: number }[]>`
      select (extract(epoch from (${bound.day}::date + ${days}::int)::timestamp at time zone ${asked.tz}) * 1000)::float8
        as ms`;
    return Math.round(row!.ms);
  };
  return { from: await day(asked.from, 0), to: await day(asked.to, 1) };
}

/** Sums the outcomes by group. */
export async function sumLedger(
  tx: TransactionSql,
  asked: LedgerAsked,
  span: LedgerSpan,
): Promise<LedgerSum[]> {
  const keys = {
    total: tx`''::text`,
    project: tx`project_id`,
    hour: tx`to_char(date_trunc('hour', received_at at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:00:00"Z"')`,
  };
  return tx<LedgerSum[]>`
    select ${keys[asked.by]} as key,
      sum(stored)::float8 as stored,
      sum(duplicate)::float8 as duplicate,
      sum(quarantined)::float8 as quarantined,
      sum(expired)::float8 as expired,
      sum(erased)::float8 as erased
    from ledger_counts
    where received > 0
      ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
      ${span.from === null ? tx`` : tx`and received_at >= to_timestamp(${span.from}::float8 / 1000)`}
      ${span.to === null ? tx`` : tx`and received_at < to_timestamp(${span.to}::float8 / 1000)`}
    group by 1
    order by 1
    limit ${rowLimit}`;
}

/** When the newest event was stored, of the project or of all; epoch ms. */
export async function newestStored(tx: TransactionSql, asked: LedgerAsked): Promise<number | null> {
  const [row] = await tx<{ ms: number | null }[]>`
    select (extract(epoch from max(stored_at)) * 1000)::float8 as ms
    from (
      select project_id, stored_at from ledger where stored > 0
      union all
      select project_id, newest_stored_at from ledger_hours where stored > 0
    ) each
    where ${asked.project === undefined ? tx`true` : tx`project_id = ${asked.project}`}`;
  return row!.ms;
}

/** What the writer had to leave apart and nobody has acknowledged, in words: nothing that can be counted. */
export async function leftApart(tx: TransactionSql, identity: LogIdentity): Promise<string[]> {
  const { unreadable, reused, tooOld } = await keptRecords(tx);
  const entries = await withAcknowledgements(tx, await logEntries(tx, identity));
  const open = entries.filter(({ acknowledged }) => acknowledged === null);
  const missing = open.reduce((sum, { records }) => sum + records, 0);
  return [
    ...(unreadable > 0 ? [`${unreadable} records kept whole, since they cannot be read`] : []),
    ...(reused > 0 ? [`${reused} records kept whole, since another batch has their id`] : []),
    ...(tooOld > 0
      ? [`${tooOld} records kept whole, since they came too late to be told from counted ones`]
      : []),
    ...(missing > 0 ? [`${missing} records missing in the log`] : []),
    ...open.filter(({ kind }) => kind === "replaced").map(({ what }) => what),
  ];
}

/** Of these batches, those the ledger has: their records in the log are copies, not in flight. */
export async function knownBatches(tx: TransactionSql, batchIds: readonly string[]): Promise<Set<string>> {
  if (batchIds.length === 0) return new Set();
  const rows = await tx<{ batch_id: string }[]>`
    select batch_id
    from ledger
    where batch_id = any(${[...batchIds]}::uuid[])`;
  return new Set(rows.map((row) => row.batch_id));
}

/** Joins what is stored and what waits into the answer's rows; without any group there is one row of noughts. */
export function ledgerRows(
  asked: LedgerAsked,
  span: LedgerSpan,
  sums: readonly LedgerSum[],
  waiting: readonly Counted[],
): AnswerRow[] {
  const inFlight = new Map<string, number>();
  for (const record of waiting) {
    const inside =
      record.events > 0 &&
      (asked.project === undefined || record.project === asked.project) &&
      (span.from === null || record.receivedAt >= span.from) &&
      (span.to === null || record.receivedAt < span.to);
    if (!inside) continue;
    const key = keyOf(asked.by, record);
    inFlight.set(key, (inFlight.get(key) ?? 0) + record.events);
  }
  const groups = new Map(sums.map((sum) => [sum.key, sum]));
  const keys = new Set([...groups.keys(), ...inFlight.keys(), ...(asked.by === "total" ? [""] : [])]);
  return [...keys].sort().map((key) => {
    const { stored = 0, duplicate = 0, quarantined = 0, expired = 0, erased = 0 } = groups.get(key) ?? {};
    const in_flight = inFlight.get(key) ?? 0;
    const received = stored + duplicate + quarantined + expired + erased + in_flight;
    const name: Record<string, string> = asked.by === "total" ? {} : { [asked.by]: key };
    return { ...name, received, stored, duplicate, quarantined, expired, erased, in_flight };
  });
}

function keyOf(by: LedgerAsked["by"], record: Counted): string {
  if (by === "total") return "";
  return by === "project"
    ? record.project
    : `${new Date(record.receivedAt).toISOString().slice(0, 13)}:00:00Z`;
}
