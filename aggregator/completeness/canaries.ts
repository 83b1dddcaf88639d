// Canaries in the store: the newest of each edge is kept, in the transaction of the records they came in.
import type { Sql, TransactionSql } from "postgres";
import { isCanary } from "../../shared/wire/canary.ts";
import type { DecodedRecord } from "../decode.ts";
import { boundLocks } from "./locks.ts";

/** An edge's newest canary; epoch ms, by the edge's clock and by the store's. */
export interface StoredCanary {
  edge: string;
  sentAt: number;
  storedAt: number;
}

/** Edges that are told of, newest first: each is a series of a metric and a line of doctor. */
const edgesMax = 50;
/** An edge that sent none for so long is gone, and its row with it. */
export const forgetSeconds = 86_400;

/** Keeps the newest canary of each edge. Their batches have rows in the ledger like any, with noughts in them. */
export async function foldCanaries(tx: TransactionSql, records: readonly DecodedRecord[]): Promise<void> {
  const newest = new Map<string, number>();
  for (const { record } of records) {
    if (!isCanary(record.batch)) continue;
    const { edge, receivedAt } = record.batch;
    newest.set(edge, Math.max(newest.get(edge) ?? receivedAt, receivedAt));
  }
  if (newest.size === 0) return;
  const rows = [...newest].map(([edge, sent_ms]) => ({ edge, sent_ms }));
  const kept = tx`
    insert into canaries as c (edge, sent_at)
    select edge, to_timestamp(sent_ms / 1000.0)
    from jsonb_to_recordset(${tx.json(rows)}) as r(edge text, sent_ms bigint)
    order by edge
    on conflict (edge) do update set sent_at = excluded.sent_at, stored_at = excluded.stored_at
    where excluded.sent_at > c.sent_at`;
  await Promise.all([boundLocks(tx), kept]);
}

/** The newest canaries, one an edge. */
export async function readCanaries(sql: Sql): Promise<StoredCanary[]> {
  return await sql<StoredCanary[]>`
    select edge,
      (extract(epoch from sent_at) * 1000)::float8 as "sentAt",
      (extract(epoch from stored_at) * 1000)::float8 as "storedAt"
    from canaries
    order by sent_at desc
    limit ${edgesMax}`;
}

/** Forgets edges that are gone; a row that a writer holds is left for the next time. */
export async function forgetCanaries(sql: Sql): Promise<void> {
  await sql`
    delete from canaries
    where edge in (
      select edge from canaries
      where stored_at < now() - make_interval(secs => ${forgetSeconds})
      order by edge
      for update skip locked
    )`;
}
