// Publishes notices to Kafka: one send at a time, by a client that is made anew after each failure.
import { compatibilityPartitioner, Producer } from "@platformatic/kafka";
import { publishDeadlineMs } from "../limits.ts";
import { baseOptions, toError } from "./kafka-client.ts";
import { createTopic, describeTopic, refuseWeak } from "./kafka-topic.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import type { NoticePublisher, OutgoingNotice } from "./notices.ts";
import type { LogOptions } from "./open.ts";
import { within } from "./within.ts";

/** Partitions of a topic made here: notices are few, and readers of one key want one partition. */
const noticePartitions = 6;

/** A publisher to these topics; those that are missing are made before the first notice. */
export function kafkaNotices(
  target: KafkaTarget,
  options: LogOptions,
  topics: readonly string[],
): NoticePublisher {
  let isMade = false;
  let client: Producer | undefined;
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});

  async function makeTopics(): Promise<void> {
    if (isMade) return;
    for (const topic of topics) {
      const own = { ...options, topic, partitions: undefined };
      await createTopic(target, own, noticePartitions);
      if (!options.allowWeak) refuseWeak(target.label, await describeTopic(target, own));
    }
    isMade = true;
  }

  function connect(): Producer {
    return new Producer({
      ...baseOptions(target, options.clientId ?? "weir"),
      // Acked by every replica in sync; a retry of the client's own makes no copy.
      idempotent: true,
      requestTimeout: publishDeadlineMs,
      timeout: publishDeadlineMs,
      metadataMaxAge: 5_000,
      // The partition that other clients would choose for the key.
      partitioner: compatibilityPartitioner,
    });
  }

  function giveUp(): void {
    client?.close(true).catch(() => {});
    client = undefined;
  }

  return {
    create: makeTopics,
    async publish(notices) {
      try {
        const sent = await within(Promise.race([send(notices), closed.promise]), publishDeadlineMs);
        if (sent === "late") throw new Error(`the log did not answer within ${publishDeadlineMs} ms`);
      } catch (error) {
        giveUp();
        isMade = false;
        throw toError(target, "publishing notices", error);
      }
    },
    async close() {
      closed.reject(new Error("the publisher is closed"));
      giveUp();
    },
  };

  async function send(notices: readonly OutgoingNotice[]): Promise<void> {
    await makeTopics();
    client ??= connect();
    await client.send({
      messages: notices.map(({ topic, key, id, value }) => ({
        topic,
        key: Buffer.from(key),
        value: Buffer.from(value),
        headers: new Map([[Buffer.from("weir-id"), Buffer.from(id)]]),
      })),
    });
  }
}
