// The drain: brings what the spool holds to the log, beside new publishes, and settles it then.
import type { Clock } from "../../shared/clock.ts";
import { reach } from "../../shared/crash-point.ts";
import { type LogProducer, PublishError } from "../../shared/log/log.ts";
import { backoffMs } from "../../shared/retry.ts";
import type { SpoolFrame } from "../../shared/spool/frame.ts";
import { isPublished } from "../../shared/wire/batch.ts";
import { partitionOf } from "../../shared/wire/partition.ts";
import { unpackRecord } from "../../shared/wire/record.ts";
import { requestFor } from "../claim.ts";
import type { Receipts } from "../receipt.ts";
import type { Settler } from "../settle.ts";
import type { Spool, SpoolSegment } from "./spool.ts";

export interface DrainDeps {
  spool: Spool;
  producer: LogProducer;
  receipts: Receipts;
  settler: Settler;
  clock: Clock;
}

export interface Drain {
  /** Whether the last sign was that the log takes nothing; then records go to the spool at once. */
  isDown(): boolean;
  /** A record was spooled since the log did not take it. */
  spooled(): void;
  /** Goes on for up to `waitMs` while there is something left, then ends. */
  stop(waitMs: number): Promise<void>;
}

const policy = { attemptsMax: Number.MAX_SAFE_INTEGER, baseMs: 200, waitMsMax: 2_000 };
/** Records on their way at once; the log gathers them. */
const atOnceMax = 16;
/** What a log refuses and is larger than this, it will refuse for ever. */
const smallRecordBytes = 1_000_000;

/** Starts with what an earlier start left. */
export function startDrain(deps: DrainDeps): Drain {
  const { spool, producer, receipts, settler, clock } = deps;
  const ended = new AbortController();
  let isDown = false;
  let wake = Promise.withResolvers<void>();

  async function run(): Promise<void> {
    while (!ended.signal.aborted) {
      const segment = await spool.oldest();
      if (segment === undefined) {
        isDown = false;
        await wake.promise;
        wake = Promise.withResolvers<void>();
      } else if (await drain(segment)) await spool.drop(segment);
    }
  }

  async function drain(segment: SpoolSegment): Promise<boolean> {
    let left = [...segment.frames];
    for (let attempt = 1; left.length > 0 && !ended.signal.aborted; ) {
      // While nothing is known of the log one record asks it, for all would wait for the same answer.
      const group = left.slice(0, isDown ? 1 : atOnceMax);
      const failed = (
        await Promise.all(group.map(async (frame) => ((await publish(segment, frame)) ? [] : [frame])))
      ).flat();
      left = [...failed, ...left.slice(group.length)];
      isDown = failed.length === group.length;
      attempt = isDown ? attempt + 1 : 1;
      if (failed.length > 0) await clock.sleep(backoffMs(policy, attempt + 1, clock, 50), ended.signal);
    }
    return left.length === 0;
  }

  async function publish(segment: SpoolSegment, frame: SpoolFrame): Promise<boolean> {
    const { batch, outcomes, receipt } = unpackRecord(frame.record);
    try {
      await producer.publish(partitionOf(batch.batchId, producer.identity.partitions), frame.record);
    } catch (error) {
      const isRefused = error instanceof PublishError && error.failure === "refused";
      if (!isRefused || frame.record.length <= smallRecordBytes) return false;
      await spool.keepAside(segment, frame);
      return true;
    }
    reach("spool_drain");
    receipts.drained(receipt);
    await settler.settle(requestFor(batch, clock.random(8), (index) => isPublished(outcomes[index]!)));
    return true;
  }

  // A folder that cannot be read now is asked again, and meanwhile everything in it is named as held.
  async function keepOn(): Promise<void> {
    while (!ended.signal.aborted) {
      await run().catch(() => clock.sleep(policy.waitMsMax, ended.signal));
    }
  }
  const running = keepOn();

  return {
    isDown: () => isDown,
    spooled() {
      isDown = true;
      wake.resolve();
    },
    async stop(waitMs) {
      const until = clock.now() + waitMs;
      while (spool.held().records > 0 && clock.now() < until) await clock.sleep(20);
      ended.abort();
      wake.resolve();
      await Promise.race([running, clock.sleep(waitMs)]);
    },
  };
}
