// What a Durable Object does with batches: keeps them within its bound, and drains them by its alarm.
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/logger.ts";
import { type ProblemCode, problems, WeirError } from "../../shared/problem.ts";
import { backoffMs } from "../../shared/retry.ts";
import { type CollectorPort, unpackBatch } from "../../shared/wire/batch.ts";
import type { BufferedBatch, BufferState } from "./buffer.ts";
import { type KeptBatch, type ObjectStorage, openBatches } from "./object-storage.ts";

export interface ObjectBufferDeps {
  storage: ObjectStorage;
  clock: Clock;
  logger: Logger;
  bytesMax: number;
  /** The collector, made when it is first needed. */
  collector(): Promise<CollectorPort>;
}

export interface ObjectBuffer {
  /** True once the batch is durable, also where it was already; false where there is no room for it. */
  put(bytes: Uint8Array): Promise<boolean>;
  /** Sends what lies here, and sets the next alarm where something is left. Never rejects. */
  drain(): Promise<void>;
  state(): BufferState;
  /** Up to `listMax` batches behind a place; fewer are the last ones. */
  list(after: number): { batches: BufferedBatch[]; last: number };
}

/** Batches of one page: some 200 bytes each. */
export const listMax = 1_000;

/** Batches on their way at once: a Worker may have six connections open. */
const lanes = 4;
/** One alarm's work: far below the quarter of an hour that an alarm may last. */
const drainMsMax = 60_000;
const firstDrainMs = 1_000;
const policy = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 1_000, waitMsMax: 30_000 };

export function createObjectBuffer(deps: ObjectBufferDeps): ObjectBuffer {
  const { storage, clock, logger, bytesMax } = deps;
  const batches = openBatches(storage);
  let { bytes: held } = batches.state();
  let failures = 0;
  return {
    async put(bytes) {
      const batch = unpackBatch(bytes);
      const alarmAt = await storage.getAlarm();
      // From here to the end nothing waits, so batch and alarm are written together or not at all.
      if (batches.has(batch.batchId)) return true;
      if (held + bytes.length > bytesMax) return false;
      batches.add(batch, bytes);
      held += bytes.length;
      if (alarmAt === null) void storage.setAlarm(clock.now() + firstDrainMs);
      await storage.sync();
      return true;
    },
    async drain() {
      const endsAt = clock.now() + drainMsMax;
      let isTaken = true;
      let next = batches.oldest(lanes);
      while (isTaken && next.length > 0 && clock.now() < endsAt) {
        const sent = await Promise.all(next.map(send));
        isTaken = sent.every((taken) => taken);
        next = batches.oldest(lanes);
      }
      failures = isTaken ? 0 : failures + 1;
      if (next.length === 0) return;
      const waitMs = isTaken ? 0 : backoffMs(policy, Math.min(failures, 10) + 1, clock);
      await storage.setAlarm(clock.now() + Math.max(waitMs, isTaken ? 0 : policy.baseMs / 2));
    },
    state: batches.state,
    list: (after) => batches.list(after, listMax),
  };

  // True where the batch is dealt with: the collector has it, or will never have it.
  async function send({ seq, bytes }: KeptBatch): Promise<boolean> {
    try {
      const collector = await deps.collector();
      await collector.send(unpackBatch(bytes));
      batches.remove(seq);
      held -= bytes.length;
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (problems[code][2]) return false;
      batches.refuse(seq, code);
      logger.error("buffered_batch_refused", { reason: code });
      return true;
    }
  }
}

// A client is told that nobody takes its events now where a collector calls a batch too old, for it sent them
// just now. One that lay here until then is not sent again: it would only hold up the others.
function codeOf(error: unknown): ProblemCode {
  if (!(error instanceof WeirError)) return "internal";
  const { cause } = error;
  return cause instanceof WeirError && cause.code === "batch_too_old" ? cause.code : error.code;
}
