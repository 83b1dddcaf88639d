// Batches in the SQLite database of one Durable Object, oldest first, in pieces that its rows can hold.
import type { Batch } from "../../shared/wire/batch.ts";
import type { BufferedBatch, BufferState } from "./buffer.ts";

/** What of a Durable Object's storage is used; writes without a wait between them are one. */
export interface ObjectStorage {
  sql: { exec(query: string, ...values: unknown[]): { toArray(): Record<string, unknown>[] } };
  getAlarm(): Promise<number | null>;
  setAlarm(timeMs: number): Promise<void>;
  sync(): Promise<void>;
  transactionSync<T>(work: () => T): T;
}

/** A row holds 2 MB at most; a packed batch is up to 2 MiB and its columns. */
const pieceBytes = 1024 * 1024;

export interface KeptBatch {
  seq: number;
  bytes: Uint8Array;
}

/** The tables, made where they are not there. Calls are synchronous, and durable before the object's next answer. */
export function openBatches(storage: ObjectStorage) {
  const { sql } = storage;
  sql.exec(
    `create table if not exists batch (
       seq integer primary key autoincrement, batch_id blob not null unique, received_at integer not null,
       project text not null, events integer not null, bytes integer not null, refused text
     )`,
  );
  sql.exec(
    "create table if not exists piece (seq integer not null, part integer not null, bytes blob not null, primary key (seq, part))",
  );
  return {
    has: (batchId: Uint8Array): boolean =>
      sql.exec("select 1 from batch where batch_id = ?", batchId).toArray().length > 0,

    add(batch: Pick<Batch, "batchId" | "project" | "receivedAt" | "count">, bytes: Uint8Array): void {
      storage.transactionSync(() => {
        const [row] = sql
          .exec(
            "insert into batch (batch_id, received_at, project, events, bytes) values (?, ?, ?, ?, ?) returning seq",
            batch.batchId,
            batch.receivedAt,
            batch.project,
            batch.count,
            bytes.length,
          )
          .toArray();
        for (let at = 0, part = 0; at < bytes.length; at += pieceBytes, part += 1) {
          sql.exec("insert into piece values (?, ?, ?)", row!["seq"], part, bytes.slice(at, at + pieceBytes));
        }
      });
    },

    /** The oldest batches that the collector did not refuse. */
    oldest(count: number): KeptBatch[] {
      const rows = sql
        .exec("select seq, bytes from batch where refused is null order by seq limit ?", count)
        .toArray();
      return rows.map(({ seq, bytes: size }) => {
        const bytes = new Uint8Array(size as number);
        let at = 0;
        for (const piece of sql.exec("select bytes from piece where seq = ? order by part", seq).toArray()) {
          const part = new Uint8Array(piece["bytes"] as ArrayBuffer);
          bytes.set(part, at);
          at += part.length;
        }
        return { seq: seq as number, bytes };
      });
    },

    remove(seq: number): void {
      storage.transactionSync(() => {
        sql.exec("delete from piece where seq = ?", seq);
        sql.exec("delete from batch where seq = ?", seq);
      });
    },

    refuse: (seq: number, code: string): void => {
      sql.exec("update batch set refused = ? where seq = ?", code, seq);
    },

    /** Batches behind a place, and the place of the last of them. */
    list(after: number, count: number): { batches: BufferedBatch[]; last: number } {
      const rows = sql
        .exec(
          `select seq, hex(batch_id) as batch_id, project, received_at, events, refused
           from batch where seq > ? order by seq limit ?`,
          after,
          count,
        )
        .toArray();
      const batches = rows.map(({ seq: _, ...row }) => row as unknown as BufferedBatch);
      return { batches, last: Number(rows.at(-1)?.["seq"] ?? after) };
    },

    state(): BufferState {
      const [row] = sql
        .exec(
          `select count(*) as batches, coalesce(sum(events), 0) as events, coalesce(sum(bytes), 0) as bytes,
             min(received_at) as oldest_received_at, count(refused) as refused from batch`,
        )
        .toArray();
      return row as unknown as BufferState;
    },
  };
}
