// Reads the log into the store: takes partitions, hands what is delivered to the pump, and goes on.
import type { Clock } from "../shared/clock.ts";
import type { ConsumerHandler, LogConsumer, LogReader, ReadRecord } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { backoffMs } from "../shared/retry.ts";
import { markOf } from "./decode.ts";
import { FencedError, OffsetError, type Span } from "./fence.ts";
import type { LedgerWrites } from "./ledger/fold.ts";
import { alarmOutside, findOutside, LogReplacedError } from "./outside.ts";
import { createPump, type Pump } from "./pump.ts";
import { spanBack } from "./regrown.ts";
import type { Inserter } from "./stage.ts";
import { errorText, isAway } from "./store/errors.ts";
import type { Store } from "./store/store.ts";
import { createWriter, type Writer } from "./write.ts";

/** How the consumer stands. */
export interface ConsumeState {
  /** False from the first write or take that failed until one succeeds. */
  isWriting: boolean;
  /** Every owned partition with the offset it is written up to. */
  positions: ReadonlyMap<number, bigint>;
  /** Age of the oldest record that waits, in ms; 0 where none does. */
  delayMs: number;
  /** When an edge received the newest event written by this process, epoch ms; 0 before the first. */
  newestReceivedAt: number;
}

export interface Consume {
  state(): ConsumeState;
  /** Ends after what is being written; what waits is read again by the next owner. */
  close(): Promise<void>;
}

export interface ConsumeOptions {
  store: Store;
  consumer: LogConsumer;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  /** For benchmarks; the ledger otherwise. */
  ledger?: LedgerWrites | undefined;
  /** For simulations, which have no COPY. */
  inserter?: Inserter | undefined;
  /** Looks at the log at every assignment, whether it still is what was read; without it nobody does. */
  openReader?: (() => Promise<LogReader>) | undefined;
  /** Closes the consumer, also while it starts. */
  signal?: AbortSignal | undefined;
}

/** The store is asked again and again, never given up: what the log holds stays there meanwhile. */
const patience = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 50, waitMsMax: 5_000 };

/** Resolves once the first partitions were taken; rejects where the consumer cannot start. */
export async function startConsume(options: ConsumeOptions): Promise<Consume> {
  const { consumer, clock } = options;
  const writer = await createWriter({ ...options, identity: consumer.identity });
  const positions = new Map<number, bigint>();
  const ending = new AbortController();
  const patient = createPatience(options, ending.signal);
  let newest = 0;
  const pump = createPump({
    writer,
    owned: () => positions.keys(),
    patiently: (work) => patient.until("write", work),
    written({ partition, to, newestReceivedAt }) {
      newest = Math.max(newest, newestReceivedAt);
      if (!positions.has(partition)) return;
      positions.set(partition, to);
      consumer.noted(partition, to);
    },
    pause: (ms) => clock.sleep(ms, ending.signal),
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      ending.abort();
      pump.drop(new Error("the aggregator is ending"));
      await consumer.close();
      await pump.idle();
      await writer.close();
    })();
    return closed;
  };
  options.signal?.addEventListener("abort", () => void close().catch(() => {}), { once: true });
  await consumer.run(createHandler(options, { writer, positions, patient, pump }));
  return {
    state: () => ({
      isWriting: patient.isWriting(),
      positions,
      newestReceivedAt: newest,
      delayMs: Math.max(0, clock.now() - (pump.oldest() ?? clock.now())),
    }),
    close,
  };
}

interface Parts {
  writer: Writer;
  positions: Map<number, bigint>;
  patient: Patience;
  pump: Pump;
}

function createHandler(options: ConsumeOptions, parts: Parts): ConsumerHandler {
  const { consumer, clock, meter, logger, openReader } = options;
  const { writer, positions, patient, pump } = parts;
  // A hole is no reason to stand still: the log will not have those records again. It is noted and alarmed.
  const skip = async (span: Span): Promise<void> => {
    alarmOutside(span, meter, logger);
    await writer.skip(span);
    positions.set(span.partition, span.to);
  };
  return {
    async assigned(partitions) {
      pump.drop(new Error("the partitions were assigned anew"));
      positions.clear();
      const taken = await patient.until("take", () => writer.take(partitions));
      for (const [partition, next] of taken) positions.set(partition, next);
      if (openReader === undefined) return new Map(positions);
      const outside = () => findOutside(openReader, consumer.identity, taken, clock);
      const { spans, ranges } = await patient.until("look", outside);
      for (const span of spans) {
        const back = () => spanBack(openReader, writer.digests, span);
        await skip(span.from < span.to ? span : await patient.until("look", back));
      }
      // The record before comes along where the log has it still: it tells whether that is the same log.
      const isKept = ([partition, next]: [number, bigint]) => next > (ranges.get(partition)?.start ?? next);
      return new Map([...positions].map((one) => [one[0], isKept(one) ? one[1] - 1n : one[1]]));
    },
    async revoked(partitions) {
      pump.drop(new FencedError(partitions), new Set(partitions));
      for (const partition of partitions) positions.delete(partition);
    },
    async deliver(partition, records) {
      const [known, first, at] = [writer.last(partition), records[0], positions.get(partition)];
      const isBefore = first !== undefined && at !== undefined && first.offset + 1n === at;
      if (openReader !== undefined && isBefore && known !== undefined && markOf(first) !== known) {
        const back = () => spanBack(openReader, writer.digests, { partition, from: at, to: at });
        await skip(await patient.until("look", back));
        throw new Error(`partition ${partition} is to be read again: its log was cut off and has grown`);
      }
      for (const part of runs(records, positions.get(partition) ?? 0n)) {
        const next = positions.get(partition);
        if (next === undefined) throw new FencedError([partition]);
        const from = part[0]!.offset;
        if (from > next) await skip({ partition, from: next, to: from });
        await pump.write(partition, part);
      }
    },
  };
}

interface Patience {
  until<T>(what: string, work: () => Promise<T>): Promise<T>;
  isWriting(): boolean;
}

// Repeats until it succeeds, the partition is lost, or this process ends; a failure never loses a record.
function createPatience({ clock, meter, logger }: ConsumeOptions, ending: AbortSignal): Patience {
  let isWriting = true;
  return {
    isWriting: () => isWriting,
    async until(what, work) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const answer = await work();
          isWriting = true;
          meter.set("weir.store.up", 1);
          return answer;
        } catch (error) {
          if (isFinal(error) || ending.aborted) throw error;
          isWriting = false;
          if (isAway(error)) meter.set("weir.store.up", 0);
          logger.error(`${what}_failed`, { error: errorText(error), attempt });
          await clock.sleep(backoffMs(patience, Math.min(attempt + 1, 16), clock), ending);
        }
      }
    },
  };
}

const isFinal = (error: unknown): boolean =>
  error instanceof FencedError || error instanceof OffsetError || error instanceof LogReplacedError;

// Records from `next` on, in parts without a hole; what was written before is passed over.
function runs(records: readonly ReadRecord[], next: bigint): ReadRecord[][] {
  const parts: ReadRecord[][] = [];
  let expected = -1n;
  for (const record of records) {
    if (record.offset < next) continue;
    if (record.offset === expected) parts.at(-1)!.push(record);
    else parts.push([record]);
    expected = record.offset + 1n;
  }
  return parts;
}
