// A Kafka topic as it is made and as it is found: who it is, and what of its settings could lose records.
import { Admin, type ClusterMetadata, ConfigResourceTypes, findErrorBy } from "@platformatic/kafka";
import { eventPartitions, logRetentionMs, recordBytesMax } from "../limits.ts";
import { baseOptions, cleanText, toError } from "./kafka-client.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import type { LogIdentity, LogWeakness } from "./log.ts";
import type { LogOptions } from "./open.ts";
import { checkPartitions } from "./refusal.ts";

/** What a record's frame takes of the topic's limit: batch header, lengths, offsets. */
export const frameBytes = 1024;
const replicationWanted = 3;
const inSyncWanted = 2;

/** A topic that exists. */
export interface KafkaTopic {
  identity: LogIdentity;
  /** The fewest replicas of any partition. */
  replication: number;
  /** The settings as the brokers hold them; undefined where they may not be read. */
  settings: ReadonlyMap<string, string> | undefined;
  /** The largest record the topic takes. */
  valueBytesMax: number;
}

/** Makes the topic where it is missing. Throws where one with another partition count exists. */
export async function createTopic(
  target: KafkaTarget,
  options: LogOptions,
  partitionsDefault: number = eventPartitions,
): Promise<void> {
  await withAdmin(target, options, "making the topic", async (admin) => {
    const found = await findTopic(admin, options.topic);
    if (found !== undefined) return checkPartitions(place(options, found), options.partitions);
    const { brokers } = await admin.metadata({ topics: [], forceUpdate: true });
    const wanted = options.replication ?? replicationWanted;
    const replicas = options.allowWeak ? Math.min(wanted, brokers.size) : wanted;
    if (replicas > brokers.size) {
      throw new Error(
        `${wanted} replicas are wanted and ${brokers.size} brokers are there; WEIR_LOG_ALLOW_WEAK takes fewer`,
      );
    }
    await admin
      .createTopics({
        topics: [options.topic],
        partitions: options.partitions ?? partitionsDefault,
        replicas,
        configs: topicSettings(replicas),
      })
      .catch((error: unknown) => {
        if (!/already exists/i.test(cleanText(target, error))) throw error;
      });
    await untilReady(admin, options.topic);
  });
}

/** Who the topic is and what it can take. Throws where it is missing or has another partition count. */
export function describeTopic(target: KafkaTarget, options: LogOptions): Promise<KafkaTopic> {
  return withAdmin(target, options, "looking at the topic", async (admin) => {
    const found = await findTopic(admin, options.topic);
    if (found === undefined) throw new Error(`the topic ${options.topic} is missing: make it first`);
    checkPartitions(place(options, found), options.partitions);
    const settings = await readSettings(admin, options.topic);
    const messageBytesMax = Number(settings?.get("max.message.bytes") ?? recordBytesMax);
    return {
      // The cluster's id alone would take a topic made anew under the same name for the old one.
      identity: { id: `${found.clusterId}/${found.topic.id}`, ...place(options, found) },
      replication: Math.min(...found.topic.partitions.map(({ replicas }) => replicas.length)),
      settings,
      valueBytesMax: Math.min(recordBytesMax, messageBytesMax - frameBytes),
    };
  });
}

/** One entry for each setting that could lose or bend what was acked. */
export function weaknessesOf(topic: KafkaTopic): LogWeakness[] {
  if (topic.settings === undefined) {
    return [
      { setting: "settings", found: "not readable", wanted: "the right to describe the topic's settings" },
    ];
  }
  const found = new Map(topic.settings).set("replication", String(topic.replication));
  // A broker that does not know a setting has no such switch to be wrong.
  return rules
    .filter(({ setting, isSound }) => found.has(setting) && !isSound(found.get(setting)!))
    .map(({ setting, wanted }) => ({ setting, found: found.get(setting)!, wanted }));
}

/** Throws where the topic can lose what was acked, with what to do. */
export function refuseWeak(label: string, topic: KafkaTopic): void {
  const weaknesses = weaknessesOf(topic);
  if (weaknesses.length === 0) return;
  const found = weaknesses.map(({ setting, found, wanted }) => `${setting} is ${found}, wanted ${wanted}`);
  throw new Error(
    `${label}: the topic ${topic.identity.topic} can lose what was acked (${found.join("; ")}); ` +
      "WEIR_LOG_ALLOW_WEAK=1 takes it as it is",
  );
}

/** How long the topic keeps a record, ms; undefined where its settings may not be read. */
export function retentionOf({ settings }: KafkaTopic): number | undefined {
  const text = settings?.get("retention.ms") ?? "";
  if (text === "") return undefined;
  return Number(text) < 0 ? Number.POSITIVE_INFINITY : Number(text);
}

const rules: readonly { setting: string; wanted: string; isSound: (value: string) => boolean }[] = [
  atLeast("replication", replicationWanted),
  atLeast("min.insync.replicas", inSyncWanted),
  atLeast("max.message.bytes", recordBytesMax),
  exactly("unclean.leader.election.enable", "false"),
  exactly("cleanup.policy", "delete"),
  exactly("message.timestamp.type", "LogAppendTime"),
];

function atLeast(setting: string, least: number): (typeof rules)[number] {
  return { setting, wanted: `${least} or more`, isSound: (value) => Number(value) >= least };
}

function exactly(setting: string, wanted: string): (typeof rules)[number] {
  return { setting, wanted, isSound: (value) => value === wanted };
}

function topicSettings(replicas: number): { name: string; value: string }[] {
  return Object.entries({
    "cleanup.policy": "delete",
    "min.insync.replicas": `${Math.min(inSyncWanted, replicas)}`,
    "unclean.leader.election.enable": "false",
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": `${recordBytesMax + frameBytes}`,
    "retention.ms": `${logRetentionMs}`,
  }).map(([name, value]) => ({ name, value }));
}

const place = (options: LogOptions, found: FoundTopic): Omit<LogIdentity, "id"> => ({
  topic: options.topic,
  partitions: found.topic.partitionsCount,
});

type FoundTopic = { clusterId: string; topic: NonNullable<ReturnType<ClusterMetadata["topics"]["get"]>> };

async function findTopic(admin: Admin, name: string): Promise<FoundTopic | undefined> {
  try {
    const metadata = await admin.metadata({ topics: [name], forceUpdate: true });
    const topic = metadata.topics.get(name);
    return topic === undefined ? undefined : { clusterId: metadata.id, topic };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Unknown topic")) return undefined;
    throw error;
  }
}

// A new topic is known before its partitions have leaders; whoever publishes then is turned away.
async function untilReady(admin: Admin, name: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const found = await findTopic(admin, name).catch(() => undefined);
    if (found?.topic.partitions.every(({ leader }) => leader >= 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the topic ${name} was made but has no leaders yet`);
}

async function readSettings(admin: Admin, topic: string): Promise<Map<string, string> | undefined> {
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
  try {
    const [found] = await admin.describeConfigs({ resources });
    return new Map(found?.configs.map(({ name, value }) => [name, value ?? ""]));
  } catch (error) {
    if (findErrorBy(error as Error, "apiId", "TOPIC_AUTHORIZATION_FAILED") !== null) return undefined;
    throw error;
  }
}

async function withAdmin<T>(
  target: KafkaTarget,
  options: LogOptions,
  doing: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Admin(baseOptions(target, options.clientId ?? "weir"));
  try {
    return await work(admin);
  } catch (error) {
    throw toError(target, doing, error);
  } finally {
    await admin.close().catch(() => {});
  }
}
