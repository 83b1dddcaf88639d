// Delivery for the logs we hold ourselves: every partition in order, all of them side by side.
import type { ConsumerHandler, ReadRecord } from "./log.ts";

/** Bytes handed over at once: a few of the largest records, so that a slow owner holds little. */
export const deliveryBytesMax: number = 8 * 1024 * 1024;
/** Records handed over at once: more small ones than this gain nothing in one write. */
export const deliveryRecordsMax = 500;
/** The pause before an owner that rejected records is asked again; short, since its work is retried. */
export const rejoinPauseMs = 250;

/** A running delivery. */
export interface Delivery {
  /** Rejects with what an owner threw, or where the log was cut off; never settles otherwise. */
  readonly failed: Promise<never>;
  /** Hands over nothing more and resolves once what was handed over is done with. */
  stop(): Promise<void>;
}

/**
 * Delivers each partition from its start on. `read` answers the records from an offset on at once, or none;
 * then `wait` is called, which resolves when there may be more. One rejection ends the whole delivery, and
 * so does a record that is another one than was delivered.
 */
export function startDelivery(
  starts: ReadonlyMap<number, bigint>,
  read: (partition: number, from: bigint) => readonly ReadRecord[],
  wait: (signal: AbortSignal) => Promise<void>,
  deliver: ConsumerHandler["deliver"],
): Delivery {
  const ending = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});

  // What was delivered last is read again with what follows it: a log that was cut off and has grown again
  // has another record there.
  async function follow(partition: number, start: bigint): Promise<void> {
    let last: ReadRecord | undefined;
    while (!ending.signal.aborted) {
      const found = read(partition, last?.offset ?? start);
      const again = last !== undefined && found[0]?.offset === last.offset ? found[0] : undefined;
      if (again !== undefined && !isSame(again, last!)) {
        throw new Error(`partition ${partition} has another record at ${again.offset} now`);
      }
      const records = again === undefined ? found : found.slice(1);
      if (records.length === 0) {
        await wait(ending.signal);
      } else {
        await deliver(partition, records);
        last = records.at(-1);
      }
    }
  }

  const followers = [...starts].map(([partition, start]) =>
    follow(partition, start).catch((error: unknown) => {
      ending.abort();
      failure.reject(error);
    }),
  );
  return {
    failed: failure.promise,
    async stop() {
      ending.abort();
      await Promise.all(followers);
    },
  };
}

const isSame = (left: ReadRecord, right: ReadRecord): boolean =>
  left.time === right.time && Buffer.compare(left.value, right.value) === 0;

/** Wakes whoever waits for new records: what a producer does for the consumers of its own process. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, when the signal aborts, or after `atMostMs`. */
  heard(signal: AbortSignal, atMostMs?: number): Promise<void>;
}

/** A bell without listeners. */
export function createBell(): Bell {
  const listeners = new Set<() => void>();
  return {
    ring() {
      for (const listener of [...listeners]) listener();
    },
    heard: (signal, atMostMs) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const timer = atMostMs === undefined ? undefined : setTimeout(done, atMostMs);
        listeners.add(done);
        signal.addEventListener("abort", done, { once: true });
        function done(): void {
          clearTimeout(timer);
          listeners.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        }
      }),
  };
}

/** The longest run of records within both bounds; always at least the first. */
export function takeBounded(records: Iterable<ReadRecord>): ReadRecord[] {
  const taken: ReadRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    bytes += record.value.length;
    if (taken.length > 0 && (bytes > deliveryBytesMax || taken.length === deliveryRecordsMax)) break;
    taken.push(record);
  }
  return taken;
}
