// Folds a record into its one row of the ledger, and writes, finds and corrects such rows.
import type { TransactionSql } from "postgres";
import { flag } from "../../shared/event/event.ts";
import type { LogIdentity } from "../../shared/log/log.ts";
import { isPublished, outcome } from "../../shared/wire/batch.ts";
import type { DecodedRecord } from "../decode.ts";
import type { Candidate } from "../plan.ts";

/** What the store found for the events of one record. */
export interface Tally {
  stored: number;
  duplicate_stored: number;
  conflict: number;
  unwritable: number;
  expired: number;
  erased: number;
  refused_duplicate: number;
}

/** How the ledger is written, so that a benchmark can leave it out. */
export interface LedgerWrites {
  insert: typeof insertLedger;
  digests: typeof ledgerDigests;
  correct: typeof correctLedger;
}

const column = {
  stored: "stored",
  duplicate: "duplicate_stored",
  conflict: "conflict",
  unwritable: "unwritable",
  expired: "expired",
  erased: "erased",
} as const;

/** Counts the fates of the candidates, by record. Records without a published event have a row too. */
export function tally(
  records: readonly DecodedRecord[],
  candidates: readonly Candidate[],
): Map<DecodedRecord, Tally> {
  const tallies = new Map<DecodedRecord, Tally>();
  for (const decoded of records) {
    tallies.set(decoded, {
      stored: 0,
      duplicate_stored: 0,
      conflict: 0,
      unwritable: 0,
      expired: 0,
      erased: 0,
      refused_duplicate: 0,
    });
  }
  // Candidates come record by record.
  let [last, counts]: [DecodedRecord | undefined, Tally | undefined] = [undefined, undefined];
  for (const { decoded, fate } of candidates) {
    if (decoded !== last) [last, counts] = [decoded, tallies.get(decoded)];
    if (counts !== undefined) counts[column[fate]] += 1;
  }
  return tallies;
}

/** Inserts the rows in key order and answers the batch ids that had none before. */
export async function insertLedger(
  tx: TransactionSql,
  log: LogIdentity,
  tallies: ReadonlyMap<DecodedRecord, Tally>,
): Promise<Set<string>> {
  const rows = [...tallies].map(([decoded, counts]) => ledgerRow(log, decoded, counts));
  const inserted = await tx`
    insert into ledger (
      batch_id, project_id, received_at, log_id, partition, log_offset, collector, collector_start,
      collector_number, collector_lowest_open, collector_given_up, collector_spool, received, published,
      duplicate_claimed, refused, refused_duplicate, stored, duplicate_stored, conflict, unwritable, expired, erased, weak,
      digest, traceparent
    )
    select
      batch_id, project_id, to_timestamp(received_ms / 1000.0), log_id, partition, log_offset, collector,
      collector_start, collector_number, collector_lowest_open, collector_given_up, collector_spool, received,
      published, duplicate_claimed, refused, 0, stored, duplicate_stored, conflict, unwritable, expired, erased, weak,
      decode(digest, 'hex'), traceparent
    from jsonb_to_recordset(${tx.json(rows)}) as r(
      batch_id uuid, project_id text, received_ms bigint, log_id text, partition int, log_offset bigint,
      collector text, collector_start bigint, collector_number bigint, collector_lowest_open bigint,
      collector_given_up bigint[], collector_spool smallint, received int, published int, duplicate_claimed int, refused int,
      stored int, duplicate_stored int, conflict int, unwritable int, expired int, erased int, weak int,
      digest text, traceparent text
    )
    order by batch_id
    on conflict do nothing
    returning batch_id`;
  return new Set(inserted.map((row) => String(row["batch_id"])));
}

/** The digests of batches that the ledger has already. */
export async function ledgerDigests(
  tx: TransactionSql,
  batchIds: readonly string[],
): Promise<Map<string, string>> {
  const rows = await tx`
    select batch_id, encode(digest, 'hex') as digest
    from ledger
    where batch_id = any(${[...batchIds]}::uuid[])`;
  return new Map(rows.map((row) => [String(row["batch_id"]), String(row["digest"])]));
}

/** Corrects the rows of this transaction whose numbers turned out otherwise than they were inserted. */
export async function correctLedger(
  tx: TransactionSql,
  before: ReadonlyMap<DecodedRecord, Tally>,
  after: ReadonlyMap<DecodedRecord, Tally>,
): Promise<void> {
  const rows = [...after]
    .filter(([decoded, counts]) => !isEqual(before.get(decoded), counts))
    .map(([decoded, counts]) => ({ batch_id: decoded.batchId, ...counts }));
  if (rows.length === 0) return;
  await tx`
    update ledger l
    set
      stored = r.stored,
      duplicate_stored = r.duplicate_stored,
      conflict = r.conflict,
      unwritable = r.unwritable,
      expired = r.expired,
      erased = r.erased,
      refused_duplicate = r.refused_duplicate
    from jsonb_to_recordset(${tx.json(rows)}) as r(
      batch_id uuid, stored int, duplicate_stored int, conflict int, unwritable int, expired int, erased int,
      refused_duplicate int
    )
    where l.batch_id = r.batch_id`;
}

function ledgerRow(log: LogIdentity, decoded: DecodedRecord, counts: Tally) {
  const { batch, outcomes, receipt } = decoded.record;
  let [published, duplicate, refused, weak] = [0, 0, 0, 0];
  for (let index = 0; index < batch.count; index += 1) {
    if (outcomes[index] === outcome.duplicate) duplicate += 1;
    else if (outcomes[index] === outcome.refused) refused += 1;
    else if (isPublished(outcomes[index]!)) published += 1;
    if (outcomes[index] !== outcome.refused && (batch.flags[index]! & flag.weak) !== 0) weak += 1;
  }
  return {
    batch_id: decoded.batchId,
    project_id: batch.project,
    received_ms: batch.receivedAt,
    log_id: log.id,
    partition: decoded.partition,
    log_offset: String(decoded.offset),
    collector: receipt.collector,
    collector_start: receipt.start,
    collector_number: receipt.number,
    collector_lowest_open: receipt.lowestOpen,
    collector_given_up: receipt.givenUp.length === 0 ? null : [...receipt.givenUp],
    collector_spool: receipt.spool ?? 0,
    received: batch.count,
    published,
    duplicate_claimed: duplicate,
    refused,
    ...counts,
    weak,
    digest: decoded.digest,
    traceparent: batch.traceparent,
  };
}

const isEqual = (left: Tally | undefined, right: Tally): boolean =>
  left !== undefined && (Object.keys(right) as (keyof Tally)[]).every((name) => left[name] === right[name]);

export const ledgerWrites: LedgerWrites = {
  insert: insertLedger,
  digests: ledgerDigests,
  correct: correctLedger,
};
