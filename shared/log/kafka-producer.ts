// Writes to Kafka: records are dealt to lanes by partition, so that a partition keeps its order.
import type { Logger } from "../logger.ts";
import { openLane, type Waiting } from "./kafka-lane.ts";
import type { KafkaTopic } from "./kafka-topic.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import type { LogProducer } from "./log.ts";
import { closedError, refuseRecord } from "./refusal.ts";

/** Sends in flight at once, one a lane: four doubled the rate of one, and each waits for its own broker. */
const lanesCount = 4;

/** A producer for a topic that was looked at. `deadlineMs` is for tests. */
export function kafkaProducer(
  target: KafkaTarget,
  topic: KafkaTopic,
  clientId: string,
  logger: Logger,
  deadlineMs?: number,
): LogProducer {
  const { identity, valueBytesMax } = topic;
  const lanes = Array.from({ length: Math.min(lanesCount, identity.partitions) }, () =>
    openLane(target, topic, clientId, logger, deadlineMs),
  );
  let waitingBytes = 0;
  let closed = false;

  return {
    identity,
    async publish(partition, record) {
      const bounds = { partitions: identity.partitions, recordBytesMax: valueBytesMax, waitingBytes };
      const refusal = closed ? closedError() : refuseRecord(partition, record, bounds);
      if (refusal !== undefined) throw refusal;
      waitingBytes += record.length;
      try {
        await new Promise<void>((resolve, reject) => {
          const waiting: Waiting = { partition, record, since: Date.now(), resolve, reject };
          lanes[partition % lanes.length]!.add(waiting);
        });
      } finally {
        waitingBytes -= record.length;
      }
    },
    async close() {
      closed = true;
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
