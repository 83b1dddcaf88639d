// The horizon of the ledger: batches older than what is folded, which it may have counted and forgotten.
import type { TransactionSql } from "postgres";
import { batchAgeMs } from "../../shared/limits.ts";
import type { DecodedRecord } from "../decode.ts";

/**
 * Of records that have just got a row of the ledger, those received before the horizon; their rows are taken
 * out again. Asked behind the insert: whoever folded an older row of the same batch has moved the horizon in
 * the same transaction, so that it is seen here.
 */
export async function takeForgotten(
  tx: TransactionSql,
  fresh: readonly DecodedRecord[],
  nowMs: number,
): Promise<DecodedRecord[]> {
  // Nothing is folded as early as a collector still takes it, so usually nothing is asked.
  const old = fresh.filter(({ record }) => record.batch.receivedAt < nowMs - batchAgeMs);
  if (old.length === 0) return [];
  const [row] = await tx<{ ms: number }[]>`
    select (extract(epoch from folded_before) * 1000)::float8 as ms from ledger_horizon`;
  const forgotten = old.filter(({ record }) => row !== undefined && record.batch.receivedAt < row.ms);
  if (forgotten.length === 0) return [];
  await tx`delete from ledger where batch_id = any(${forgotten.map(({ batchId }) => batchId)}::uuid[])`;
  return forgotten;
}

/** Moves the horizon on, in the transaction that folds. */
export async function moveHorizon(tx: TransactionSql, before: Date): Promise<void> {
  await tx`
    insert into ledger_horizon as h (folded_before)
    values (${before})
    on conflict (one) do update set folded_before = greatest(h.folded_before, excluded.folded_before)`;
}
