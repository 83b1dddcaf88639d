// Records kept or noted beside the ledger: unreadable ones, those with another batch's id, and resends.
import type { ISql, TransactionSql } from "postgres";
import type { LogIdentity } from "../shared/log/log.ts";
import type { QuarantineReason } from "../shared/problem.ts";
import type { DecodedRecord, Place } from "./decode.ts";

/** A record kept whole. `decoded` tells its receipt where it could be read. */
export interface KeptRecord {
  place: Place;
  reason: QuarantineReason;
  detail: string;
  decoded?: DecodedRecord;
}

/** Keeps whole records; their offsets are noted, so that every record below the position is accounted for. */
export async function quarantineRecords(
  tx: TransactionSql,
  log: LogIdentity,
  records: readonly KeptRecord[],
): Promise<void> {
  for (const { place, reason, detail, decoded } of records) {
    const receipt = decoded?.record.receipt;
    await tx`
      insert into quarantined_records (
        log_id, partition, log_offset, reason, detail, original, collector, collector_start, collector_number
      )
      values (
        ${log.id}, ${place.partition}, ${String(place.offset)}, ${reason}, ${plain(detail)},
        ${Buffer.from(place.value)}, ${receipt?.collector ?? null}, ${receipt?.start ?? null},
        ${receipt?.number ?? null}
      )
      on conflict do nothing`;
  }
}

/** A kept record that is to be written after all, and who wants it; a replay is not told to the audit. */
export interface Released {
  recordId: string;
  actor: string | undefined;
}

/**
 * Takes a kept record out, in the transaction that writes it. False where it is not there any more: it was
 * written by another, or was discarded.
 */
export async function releaseRecord(tx: TransactionSql, { recordId, actor }: Released): Promise<boolean> {
  const gone = await tx`
    with gone as (
      delete from quarantined_records
      where record_id = ${recordId} and discarded_at is null
      returning log_id, partition, log_offset
    ),
    noted as (
      insert into audit (action, actor, target, outcome)
      select 'retried', ${actor ?? null}, ${recordTarget(tx)}, 'written'
      from gone
      where ${actor !== undefined}
    )
    select 1 from gone`;
  return gone.length > 0;
}

/** How the audit names a kept record: by its place, which a store made anew from the log has, too. */
export const recordTarget = (sql: ISql) => sql`concat('record ', log_id, '/', partition, '/', log_offset)`;

/** Notes further records of known batches: counted nowhere, but their offsets and receipts are known. */
export async function noteRetransmissions(
  tx: TransactionSql,
  log: LogIdentity,
  records: readonly DecodedRecord[],
): Promise<void> {
  if (records.length === 0) return;
  const rows = records.map((decoded) => ({
    partition: decoded.partition,
    log_offset: String(decoded.offset),
    batch_id: decoded.batchId,
    collector: decoded.record.receipt.collector,
    collector_start: decoded.record.receipt.start,
    collector_number: decoded.record.receipt.number,
    collector_lowest_open: decoded.record.receipt.lowestOpen,
    collector_given_up: [...decoded.record.receipt.givenUp],
  }));
  await tx`
    insert into ledger_retransmissions (
      log_id, partition, log_offset, batch_id, collector, collector_start, collector_number,
      collector_lowest_open, collector_given_up
    )
    select ${log.id}, r.*
    from jsonb_to_recordset(${tx.json(rows)}) as r(
      partition int, log_offset bigint, batch_id uuid, collector text, collector_start bigint,
      collector_number bigint, collector_lowest_open bigint, collector_given_up bigint[]
    )
    order by partition, log_offset
    on conflict do nothing`;
}

/** A text as PostgreSQL holds it: without U+0000 and halves of surrogate pairs. */
export const plain = (text: string): string => text.replaceAll("\0", "\ufffd").toWellFormed();
