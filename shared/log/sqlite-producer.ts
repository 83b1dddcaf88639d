// Writes to a SQLite log: publishes that wait together share one transaction and one fsync.
import type { Clock } from "../clock.ts";
import { logRetentionMs, recordBytesMax } from "../limits.ts";
import { type LogProducer, PublishError } from "./log.ts";
import { closedError, refuseRecord } from "./refusal.ts";
import type { SqliteTopic } from "./sqlite.ts";
import { briefMs, dropOld, waitAtMost } from "./sqlite-records.ts";

/** How long the first waiting publish gathers others. The fsync after it blocks the whole process. */
const gatherMs = 1;
/** Bytes of one transaction: below the WAL's checkpoint, so that a commit is no long stop. */
const transactionBytesMax = 16 * 1024 * 1024;
/** How often old records are looked for, and the pause between two steps of dropping them. */
const dropEveryMs = 60_000;
const dropAgainMs = 50;

/** How long a publish waits for a file that another process holds, and the pause between two tries. */
const busyMs = 2_000;
const busyAgainMs = 50;

interface Waiting {
  partition: number;
  record: Uint8Array;
  /** Epoch ms; past it a busy file is no reason to wait any more. */
  until: number;
  resolve(): void;
  reject(error: PublishError): void;
}

/** A producer that owns `topic`'s connection. */
export function sqliteProducer(
  topic: SqliteTopic,
  clock: Clock,
  retentionMs: number = logRetentionMs,
): LogProducer {
  const { database } = topic;
  waitAtMost(topic, briefMs);
  const next = database.query("select next from partitions where topic = ? and partition = ?");
  const insert = database.query(
    "insert into records (topic, partition, offset, time, value) values (?, ?, ?, ?, ?)",
  );
  const advance = database.query("update partitions set next = ? where topic = ? and partition = ?");
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  function write(batch: readonly Waiting[]): void {
    const ends = new Map<number, number>();
    for (const { partition, record } of batch) {
      const offset = ends.get(partition) ?? (next.get(topic.number, partition) as { next: number }).next;
      insert.run(topic.number, partition, offset, clock.now(), record);
      ends.set(partition, offset + 1);
    }
    for (const [partition, end] of ends) advance.run(end, topic.number, partition);
  }

  function flush(): void {
    timer = undefined;
    while (waiting.length > 0) {
      const batch = takeBatch();
      const failure = commit(batch);
      const isLater = isBusy(failure) && !closed;
      const patient = isLater ? batch.filter(({ until }) => until > clock.now()) : [];
      const kept = new Set(patient);
      for (const one of batch) {
        if (failure === undefined) one.resolve();
        else if (!kept.has(one)) one.reject(failure);
      }
      if (patient.length > 0) {
        waitAgain(patient);
        break;
      }
    }
    topic.bell.ring();
  }

  function waitAgain(batch: readonly Waiting[]): void {
    waiting = [...batch, ...waiting];
    for (const { record } of batch) waitingBytes += record.length;
    timer = setTimeout(flush, busyAgainMs);
  }

  function takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < waiting.length && (count === 0 || bytes < transactionBytesMax)) {
      bytes += waiting[count]!.record.length;
      count += 1;
    }
    waitingBytes -= bytes;
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  // Before COMMIT nothing can be stored; a COMMIT that failed may have left its frames in the WAL.
  function commit(batch: readonly Waiting[]): PublishError | undefined {
    let failure: "not_stored" | "unknown" = "not_stored";
    try {
      database.run("begin immediate");
      write(batch);
      failure = "unknown";
      database.run("commit");
      return undefined;
    } catch (cause) {
      if (database.inTransaction) database.run("rollback");
      return new PublishError(failure, "the log's file could not be written", { cause });
    }
  }

  // In steps, each of which holds the process for milliseconds; the pauses between let it work.
  function drop(): void {
    let more = false;
    try {
      more = dropOld(topic, clock.now() - retentionMs);
    } catch {
      // The file is held by another process or full; the next round tries again.
    }
    dropping = setTimeout(drop, more ? dropAgainMs : dropEveryMs).unref();
  }
  let dropping = setTimeout(drop, dropAgainMs).unref();

  return {
    identity: topic.identity,
    publish(partition, record) {
      const bounds = { partitions: topic.identity.partitions, recordBytesMax, waitingBytes };
      const refusal = closed ? closedError() : refuseRecord(partition, record, bounds);
      if (refusal !== undefined) return Promise.reject(refusal);
      waitingBytes += record.length;
      timer ??= setTimeout(flush, gatherMs);
      const until = clock.now() + busyMs;
      return new Promise(
        (resolve, reject) => void waiting.push({ partition, record, until, resolve, reject }),
      );
    },
    async close() {
      if (closed) return;
      closed = true;
      clearTimeout(dropping);
      clearTimeout(timer);
      // The last chance of what waits.
      waitAtMost(topic, busyMs);
      flush();
      database.close();
    },
  };
}

// Before COMMIT only: nothing of it can be stored.
const isBusy = (error: PublishError | undefined): boolean =>
  error?.failure === "not_stored" && (error.cause as { code?: string }).code === "SQLITE_BUSY";
