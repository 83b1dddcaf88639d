// Canary: an edge sends an empty batch every few seconds, so that a pipeline that stores nothing is seen.
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { WeirError } from "../shared/problem.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import { canaryBatch } from "../shared/wire/canary.ts";
import { newBatchId } from "./batch.ts";

export interface CanaryDeps {
  /** The edge's name; edges of one name are one to whoever looks. */
  name: string;
  collector: CollectorPort;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  everyMs: number;
}

export interface Canary {
  /** Sends no more; does not wait long for the one under way. */
  close(): Promise<void>;
}

/** The end of an edge does not wait longer than this for a canary: nobody misses it. */
const closeMs = 500;

/**
 * Sends the first one at once. It needs no write key and shares no batch, and the next waits for its
 * answer, so that a collector that is down has one of them to refuse and not a crowd.
 */
export function startCanary(deps: CanaryDeps): Canary {
  const { clock, everyMs } = deps;
  const stop = new AbortController();
  const sending = run();
  return {
    async close() {
      stop.abort();
      await Promise.race([sending, clock.sleep(closeMs)]);
    },
  };

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await sendCanary(deps, stop.signal);
      await clock.sleep(everyMs, stop.signal);
    }
  }
}

/** Sends one; what becomes of it is counted and logged. Never rejects. */
export async function sendCanary(deps: Omit<CanaryDeps, "everyMs">, stop?: AbortSignal): Promise<void> {
  const { name, collector, clock, meter, logger } = deps;
  let code = "ok";
  try {
    await collector.send(canaryBatch(newBatchId(clock), name, clock.now()));
  } catch (error) {
    code = error instanceof WeirError ? error.code : "internal";
    if (stop?.aborted !== true) logger.error("canary_failed", { reason: code });
  }
  meter.count("weir.edge.canaries", 1, { "weir.code": code });
}
