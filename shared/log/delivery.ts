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
  /** Rejects with what an owner threw; never settles otherwise. */
  readonly failed: Promise<never>;
  /** Hands over nothing more and resolves once what was handed over is done with. */
  stop(): Promise<void>;
}

/**
 * Delivers each partition from its start on. `read` answers the next records at once, or none; then
 * `wait` is called, which resolves when there may be more. One rejection ends the whole delivery.
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

  async function follow(partition: number, start: bigint): Promise<void> {
    let next = start;
    while (!ending.signal.aborted) {
      const records = read(partition, next);
      const last = records.at(-1);
      if (last === undefined) {
        await wait(ending.signal);
      } else {
        await deliver(partition, records);
        next = last.offset + 1n;
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
