// What no driver takes, said the same by all of them.
import { publishBytesMax } from "../limits.ts";
import { type LogIdentity, PublishError } from "./log.ts";

/** What a publish is measured by. */
export interface PublishBounds {
  partitions: number;
  /** The largest record the log takes. */
  recordBytesMax: number;
  /** Bytes that wait for the log already. */
  waitingBytes: number;
}

/** Why a record is not even tried, or undefined where it is. In both cases nothing is stored of it. */
export function refuseRecord(
  partition: number,
  record: Uint8Array,
  bounds: PublishBounds,
): PublishError | undefined {
  if (!(partition >= 0 && partition < bounds.partitions)) {
    return new PublishError("refused", `there is no partition ${partition}`);
  }
  if (record.length > bounds.recordBytesMax) {
    return new PublishError("refused", `a record of ${record.length} bytes is over ${bounds.recordBytesMax}`);
  }
  if (bounds.waitingBytes + record.length > publishBytesMax) {
    return new PublishError("not_stored", "too much is waiting for the log");
  }
  return undefined;
}

/** What a publish after close is rejected with. */
export const closedError = (): PublishError => new PublishError("not_stored", "the producer is closed");

/** Throws where a topic has another number of partitions than was asked for. */
export function checkPartitions(identity: Omit<LogIdentity, "id">, wanted: number | undefined): void {
  if (wanted === undefined || wanted === identity.partitions) return;
  const { topic, partitions } = identity;
  throw new Error(
    `the topic ${topic} has ${partitions} partitions, not ${wanted}; the number is fixed for its life`,
  );
}
