// The log on Kafka's protocol: platformatic's client writes, kafkajs reads as one of a group.
import { silentLogger } from "../logger.ts";
import { kafkaConsumer } from "./kafka-consumer.ts";
import { kafkaNotices } from "./kafka-notices.ts";
import { kafkaProducer } from "./kafka-producer.ts";
import { kafkaReader } from "./kafka-reader.ts";
import {
  createTopic,
  describeTopic,
  type KafkaTopic,
  refuseWeak,
  retentionOf,
  weaknessesOf,
} from "./kafka-topic.ts";
import { readKafkaUrl } from "./kafka-url.ts";
import type { Log } from "./log.ts";
import type { LogOptions } from "./open.ts";

/** Opens the log behind a `kafka:` or `kafka+tls:` URL. Nothing is connected before a role is asked for. */
export function kafkaLog(url: string, options: LogOptions & { deadlineMs?: number }): Log {
  const target = readKafkaUrl(url, options.ca);
  const logger = options.logger ?? silentLogger;
  const clientId = options.clientId ?? "weir";
  const describe = (): Promise<KafkaTopic> => describeTopic(target, options);

  return {
    label: target.label,
    create: () => createTopic(target, options),
    weaknesses: async () => weaknessesOf(await describe()),
    retentionMs: async () => retentionOf(await describe()),
    async producer() {
      const topic = await describe();
      if (!options.allowWeak) refuseWeak(target.label, topic);
      return kafkaProducer(target, topic, clientId, logger, options.deadlineMs);
    },
    async consumer(group) {
      const topic = await describe();
      const { identity } = topic;
      const reader = kafkaReader(target, topic, clientId);
      // A group's leader shares out its own topics among all members, also those that read another one.
      const groupOfTopic = `${group}.${identity.topic}`;
      return kafkaConsumer({ target, identity, group: groupOfTopic, clientId, logger, reader });
    },
    reader: async () => kafkaReader(target, await describe(), clientId),
    notices: (topics) => kafkaNotices(target, options, topics),
  };
}
