// Bounds the wait for rows that writers of other partitions fold into as well.
import type { PendingQuery, Row, TransactionSql } from "postgres";

/** Far more than a fold and its commit take, far less than a statement may. */
const lockMs = 2_000;

/**
 * A stopped writer may hold a stream's row until its partitions are taken from it, which ends its session.
 * Whoever is to take them must not wait for it with the session that would: past the bound the transaction
 * fails, is tried again, and in between the session is free. Sent before the statement it is for.
 */
export const boundLocks = (tx: TransactionSql): PendingQuery<Row[]> =>
  tx`select set_config('lock_timeout', ${String(lockMs)}, true)`;
