// The records of a SQLite log as its roles read and drop them.
import { takeBounded } from "./delivery.ts";
import type { ReadRecord } from "./log.ts";
import type { SqliteTopic } from "./sqlite.ts";

/** Rows dropped in one transaction: with 50 KB each some milliseconds, and a thousand a second. */
const dropRowsMax = 50;

interface Row {
  offset: number;
  time: number;
  value: Uint8Array;
}

/** How long a statement waits for the file; the whole process waits with it. */
export function waitAtMost({ database }: SqliteTopic, ms: number): void {
  database.run(`pragma busy_timeout = ${ms}`);
}

/** For who writes again and again, and so can try once more. */
export const briefMs = 100;

/** First kept offset and the one after the last, of every partition. */
export function keptRanges(topic: SqliteTopic): Map<number, { start: bigint; end: bigint }> {
  const rows = topic.database
    .query("select partition, start, next from partitions where topic = ? order by partition")
    .all(topic.number) as { partition: number; start: number; next: number }[];
  return new Map(rows.map((row) => [row.partition, { start: BigInt(row.start), end: BigInt(row.next) }]));
}

/** Records from `from` on and below `to`, as many as are handed over at once. */
export function keptRecords(
  topic: SqliteTopic,
  partition: number,
  from: bigint,
  to: bigint = BigInt(Number.MAX_SAFE_INTEGER),
): ReadRecord[] {
  const rows = topic.database
    .query(
      `select offset, time, value from records
       where topic = ? and partition = ? and offset >= ? and offset < ?
       order by offset`,
    )
    .iterate(topic.number, partition, Number(from), Number(to)) as IterableIterator<Row>;
  return takeBounded(toRecords(rows));
}

/**
 * Drops what the log took before `before`, at most one step's worth of each partition, and moves its
 * start on. Answers whether there may be more to drop.
 */
export function dropOld(topic: SqliteTopic, before: number): boolean {
  let more = false;
  for (const [partition, { start }] of keptRanges(topic)) {
    const stop = firstKept(topic, partition, Number(start), before);
    if (stop === Number(start)) continue;
    more ||= stop === Number(start) + dropRowsMax;
    topic.database
      .transaction(() => {
        topic.database
          .query("delete from records where topic = ? and partition = ? and offset < ?")
          .run(topic.number, partition, stop);
        topic.database
          .query("update partitions set start = ? where topic = ? and partition = ?")
          .run(stop, topic.number, partition);
      })
      .immediate();
  }
  return more;
}

// Times follow offsets only as far as the clock did, so the drop ends at the first young record.
function firstKept(topic: SqliteTopic, partition: number, start: number, before: number): number {
  const times = topic.database
    .query(
      `select offset, time from records
       where topic = ? and partition = ? and offset >= ?
       order by offset limit ?`,
    )
    .all(topic.number, partition, start, dropRowsMax) as { offset: number; time: number }[];
  const young = times.findIndex((row) => row.time >= before);
  return young === -1 ? start + times.length : start + young;
}

function* toRecords(rows: Iterable<Row>): Iterable<ReadRecord> {
  for (const row of rows) yield { offset: BigInt(row.offset), time: row.time, value: row.value };
}
