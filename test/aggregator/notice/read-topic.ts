// Reads a topic of notices from its beginning, with keys and headers, as any consumer would.
import { Kafka, logLevel } from "kafkajs";
import { until } from "../../support/until.ts";

export interface ReadNotice {
  partition: number;
  key: string;
  header: string;
  body: Record<string, unknown>;
}

/** Resolves once `isEnough` says so of what was read so far; rejects after a minute. */
export async function readTopic(
  url: string,
  topic: string,
  isEnough: (read: readonly ReadNotice[]) => boolean,
): Promise<ReadNotice[]> {
  const brokers = [url.slice("kafka://".length)];
  const kafka = new Kafka({ clientId: "weir-test", brokers, logLevel: logLevel.NOTHING });
  // To leave, it waits for its last question's end.
  const consumer = kafka.consumer({ groupId: `weir-test-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 });
  const read: ReadNotice[] = [];
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      async eachMessage({ partition, message }) {
        read.push({
          partition,
          key: String(message.key),
          header: String(message.headers?.["weir-id"]),
          body: JSON.parse(String(message.value)),
        });
      },
    });
    await until("the notices are in the topic", 60_000, () => isEnough(read));
    return [...read];
  } finally {
    await consumer.disconnect();
  }
}
