// Keeps reading a log, whatever becomes of it: one that became shorter or was made anew is opened anew.
import type { Log, LogReader } from "../shared/log/log.ts";
import { type Consume, type ConsumeOptions, startConsume } from "./consume.ts";
import { noteReplaced } from "./ledger/replaced.ts";
import { isDoubtful, type LogLook, lookAt, outsideOf } from "./outside.ts";
import { errorText } from "./store/errors.ts";

export interface FollowOptions extends Omit<ConsumeOptions, "consumer" | "openReader" | "signal"> {
  log: Log;
  group: string;
  /** How often the log is looked at, ms. */
  lookEveryMs?: number;
}

export interface Following extends Consume {
  /** Reads whatever log is followed now. */
  reader: LogReader;
}

const lookEveryMsDefault = 5_000;

/** Starts to consume. Resolves and rejects as startConsume does. */
export async function followLog(options: FollowOptions): Promise<Following> {
  const { log, clock, logger, lookEveryMs = lookEveryMsDefault } = options;
  const ending = new AbortController();
  let { reader, consume } = await open(options, ending.signal);
  let isOpen = true;

  async function reopen(): Promise<void> {
    isOpen = false;
    await Promise.allSettled([consume.close(), reader.close()]);
    while (!ending.signal.aborted && !isOpen) {
      try {
        ({ reader, consume } = await open(options, ending.signal));
        isOpen = true;
      } catch (error) {
        logger.error("log_reopen_failed", { error: errorText(error) });
        await clock.sleep(lookEveryMs, ending.signal);
      }
    }
  }

  // A position outside the log may be about to move by itself; one that stays there, with no record of it
  // waiting here to be written, does not move any more.
  async function watch(): Promise<void> {
    let before = new Map<number, bigint>();
    let last: LogLook | undefined;
    while (!ending.signal.aborted) {
      await clock.sleep(lookEveryMs, ending.signal);
      const seen = ending.signal.aborted
        ? undefined
        : await lookAt(() => log.reader()).catch(() => undefined);
      if (seen === undefined) continue;
      const isAnother = seen.identity.id !== reader.identity.id;
      const { positions, delayMs } = consume.state();
      const outside = delayMs === 0 ? outsideOf(positions, seen) : [];
      const isStuck = outside.some(({ partition, from }) => before.get(partition) === from);
      before = new Map(outside.map(({ partition, from }) => [partition, from]));
      const isToLook = isAnother || isStuck || (last !== undefined && isDoubtful(positions, seen, last));
      last = seen;
      if (isToLook) await reopen();
    }
  }

  const watching = watch();
  return {
    reader: {
      get identity() {
        return reader.identity;
      },
      ranges: () => reader.ranges(),
      read: (partition, from, to) => reader.read(partition, from, to),
      close: () => reader.close(),
    },
    state: () => ({ ...consume.state(), isWriting: isOpen && consume.state().isWriting }),
    async close() {
      ending.abort();
      await watching;
      await consume.close();
      await reader.close();
    },
  };
}

async function open(
  options: FollowOptions,
  signal: AbortSignal,
): Promise<{ reader: LogReader; consume: Consume }> {
  const { log, group, store, meter, logger } = options;
  const reader = await log.reader();
  try {
    const consumer = await log.consumer(group);
    for (const old of await noteReplaced(store.sql, reader.identity)) {
      meter.count("weir.aggregator.alarms", 1, { "weir.code": "log_replaced" });
      logger.error("log_replaced", { topic: reader.identity.topic, old, new: reader.identity.id });
    }
    const openReader = () => log.reader();
    return { reader, consume: await startConsume({ ...options, consumer, signal, openReader }) };
  } catch (error) {
    await reader.close();
    throw error;
  }
}
