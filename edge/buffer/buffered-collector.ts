// A collector with a buffer before it: what the collector cannot take now is durable at the edge all the same.
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/logger.ts";
import { problems, WeirError } from "../../shared/problem.ts";
import { type Batch, type BatchAnswer, type CollectorPort, outcome } from "../../shared/wire/batch.ts";
import { isCanary } from "../../shared/wire/canary.ts";
import type { BatchBuffer } from "./buffer.ts";

export interface BufferedCollectorDeps {
  collector: CollectorPort;
  buffer: BatchBuffer;
  clock: Clock;
  logger: Logger;
}

/** After a failure everything is buffered for so long, but one batch that looks whether it is over. */
const pauseMs = 2_000;

export function bufferedCollector(deps: BufferedCollectorDeps): CollectorPort {
  const { collector, buffer, clock, logger } = deps;
  let isDown = false;
  let looksAt = 0;
  return {
    async send(batch) {
      // A canary that came late would tell of a pipeline that was well when it was not.
      if (isCanary(batch)) return await collector.send(batch);
      if (isDown && clock.now() < looksAt) return await keep(batch);
      looksAt = clock.now() + pauseMs;
      try {
        const answer = await collector.send(batch);
        isDown = false;
        return answer;
      } catch (error) {
        // Whether the collector has the batch is not known; it is sent again under its id, and known then.
        if (!(error instanceof WeirError && problems[error.code][2])) throw error;
        if (!isDown) logger.error("buffer_takes_over", { reason: error.code });
        isDown = true;
        looksAt = clock.now() + pauseMs;
        return await keep(batch);
      }
    },
    // With a buffer events can be taken; that it has room is seen when it is asked for it.
    ready: async () => undefined,
    close: () => collector.close(),
  };

  async function keep(batch: Batch): Promise<BatchAnswer> {
    await buffer.put(batch);
    const outcomes = new Uint8Array(batch.count).fill(outcome.unchecked);
    for (const { index } of batch.refusals) outcomes[index] = outcome.refused;
    return { batchId: batch.batchId, outcomes, spooled: true };
  }
}
