// Publish: a batch with its outcomes becomes one numbered record in the log, or a defined failure.
import { publishBytesMax, recordBytesMax } from "../shared/limits.ts";
import { type LogProducer, PublishError } from "../shared/log/log.ts";
import { WeirError } from "../shared/problem.ts";
import type { Batch } from "../shared/wire/batch.ts";
import { partitionOf } from "../shared/wire/partition.ts";
import { packRecord } from "../shared/wire/record.ts";
import type { Receipts } from "./receipt.ts";
import type { Drain } from "./spool/drain.ts";
import type { Spool } from "./spool/spool.ts";

/** How a publish ended. `isSpooled`: on this disk, not in the log yet. `isCertain`: nothing of the record is in the log, so its leases may be freed. */
export type Published =
  | { isStored: true; isSpooled: boolean }
  | { isStored: false; isCertain: boolean; answer: WeirError };

export interface Publisher {
  /** Holds room for a batch until the answered function is called. Throws `overloaded` where none is left. */
  enter(batch: Batch): () => void;
  /** Never rejects. */
  publish(batch: Batch, outcomes: Uint8Array): Promise<Published>;
}

export interface PublisherOptions {
  producer: LogProducer;
  receipts: Receipts;
  /** Where records go that the log does not take now. */
  overflow?: { spool: Spool; drain: Drain; now: () => number } | undefined;
  /** Bytes of batches in this process at once. */
  bytesMax?: number;
}

/** Numbers waiting to be told of while the log is down, 5 KB in a record: past these one publish tries it. */
const untoldMax = 1_000;
/** No log is set to take less (Kafka's own default is 1,048,588 bytes), so a smaller record is no large one. */
const smallRecordBytes = 1_000_000;

export function createPublisher(options: PublisherOptions): Publisher {
  const { producer, receipts, overflow } = options;
  const bytesMax = options.bytesMax ?? publishBytesMax;
  const { partitions } = producer.identity;
  let bytes = 0;

  return {
    enter(batch) {
      const size = bytesOf(batch);
      if (bytes + size > bytesMax) {
        throw new WeirError("overloaded", "Too many bytes wait for the log in this collector.");
      }
      bytes += size;
      return () => {
        bytes -= size;
      };
    },

    async publish(batch, outcomes) {
      if (receipts.untold() >= untoldMax && receipts.underWay() > 0) {
        return failed(new PublishError("not_stored", "the log is down, and a publish is trying it"), 0);
      }
      // A number is not taken in vain for what neither the log nor the spool has a place for.
      const isDown = overflow?.drain.isDown() === true;
      if (isDown && !overflow?.spool.hasRoom(bytesOf(batch))) {
        return failed(new PublishError("not_stored", "the log is down and the spool is full"), 0);
      }
      const receipt = receipts.take();
      let size = 0;
      try {
        const record = packRecord(batch, outcomes, receipt);
        size = record.length;
        if (size > recordBytesMax) throw new PublishError("refused", `a record of ${size} bytes`);
        const partition = partitionOf(batch.batchId, partitions);
        try {
          if (isDown) throw new PublishError("not_stored", "the log is down");
          await producer.publish(partition, record);
        } catch (error) {
          if (overflow === undefined || isRefusal(error)) throw error;
          const frame = { partition, events: batch.count, time: overflow.now(), record };
          await overflow.spool.append(frame).catch((cause) => Promise.reject(withCause(error, cause)));
          receipts.spooled(receipt);
          overflow.drain.spooled();
          return { isStored: true, isSpooled: true };
        }
        receipts.stored(receipt);
        return { isStored: true, isSpooled: false };
      } catch (error) {
        receipts.gaveUp(receipt);
        return failed(error, size);
      }
    },
  };
}

const isRefusal = (error: unknown): boolean => error instanceof PublishError && error.failure === "refused";

// A spool that failed too changes nothing about what is known of the log.
const withCause = (error: unknown, cause: unknown): PublishError =>
  new PublishError(error instanceof PublishError ? error.failure : "unknown", String(cause), { cause });

/** What a batch holds in memory, near enough: its bodies, its columns of 41 bytes an event, its refusals. */
const bytesOf = (batch: Batch): number => batch.bodies.length + batch.count * 64;

// A failure that is no PublishError is a fault of the driver, and says nothing about the record.
function failed(error: unknown, size: number): Published {
  const failure = error instanceof PublishError ? error.failure : "unknown";
  if (failure === "refused" && size > smallRecordBytes) {
    const detail = "The batch is larger than the log takes; send fewer or smaller events.";
    return {
      isStored: false,
      isCertain: true,
      answer: new WeirError("record_too_large", detail, { cause: error }),
    };
  }
  const answer = new WeirError("log_unavailable", "The log did not take the batch.", { cause: error });
  return { isStored: false, isCertain: failure !== "unknown", answer };
}
