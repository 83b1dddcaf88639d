// The topic on a real broker: how it is made, what is found weak in it, and that a weak one is refused.
import { randomUUID } from "node:crypto";
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import { afterAll, beforeAll, expect, it } from "vitest";
import { logRetentionMs } from "../../../shared/limits.ts";
import type { PublishError } from "../../../shared/log/log.ts";
import { openLog } from "../../../shared/log/open.ts";
import { describeWith, serviceUrl } from "../../support/services.ts";

describeWith(["kafka"], "a Kafka topic", () => {
  let url: string;
  let admin: Admin;
  beforeAll(() => {
    url = serviceUrl("kafka");
    admin = new Admin({ clientId: "weir-test", bootstrapBrokers: [url.slice("kafka://".length)] });
  });
  afterAll(() => admin.close());

  const named = (): string => `topic-${randomUUID()}`;
  const alter = (topic: string, settings: Readonly<Record<string, string>>): Promise<void> =>
    admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: ConfigResourceTypes.TOPIC,
          resourceName: topic,
          configs: Object.entries(settings).map(([name, value]) => ({
            name,
            value,
            configOperation: IncrementalAlterConfigOperationTypes.SET,
          })),
        },
      ],
    });
  const settingsOf = async (topic: string): Promise<Map<string, string | null | undefined>> => {
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
    const [found] = await admin.describeConfigs({ resources });
    return new Map(found!.configs.map(({ name, value }) => [name, value]));
  };

  it("is made with 24 partitions and settings that lose nothing, as far as the brokers go", async () => {
    const topic = named();
    const log = await openLog(url, { topic, allowWeak: true });
    await log.create();
    const reader = await log.reader();
    expect(reader.identity.partitions).toBe(24);
    await reader.close();
    const settings = await settingsOf(topic);
    expect(Object.fromEntries(settings)).toMatchObject({
      "cleanup.policy": "delete",
      "unclean.leader.election.enable": "false",
      "message.timestamp.type": "LogAppendTime",
      "min.insync.replicas": "1",
      "retention.ms": "604800000",
    });
    expect(Number(settings.get("max.message.bytes"))).toBeGreaterThanOrEqual(4 * 1024 * 1024);
  });

  it("is not made with fewer replicas than asked for, unless a weak log is allowed", async () => {
    const log = await openLog(url, { topic: named(), replication: 3 });
    await expect(log.create()).rejects.toThrow(/3 replicas are wanted and 1 brokers are there/);
    await expect(log.producer()).rejects.toThrow(/is missing/);
  });

  it("is written to only when its weaknesses are allowed, and names each of them", async () => {
    const topic = named();
    const weak = await openLog(url, { topic, partitions: 2, allowWeak: true });
    await weak.create();
    expect(await weak.weaknesses()).toEqual([
      { setting: "replication", found: "1", wanted: "3 or more" },
      { setting: "min.insync.replicas", found: "1", wanted: "2 or more" },
    ]);
    expect(await weak.retentionMs()).toBe(logRetentionMs);
    await alter(topic, { "retention.ms": "-1" });
    expect(await weak.retentionMs()).toBe(Number.POSITIVE_INFINITY);
    await alter(topic, { "max.message.bytes": "1000000" });
    // A producer knows the smaller limit before it sends.
    const producer = await weak.producer();
    await expect(producer.publish(0, new Uint8Array(1_000_000))).rejects.toMatchObject({
      failure: "refused",
    });
    await producer.publish(0, new Uint8Array(900_000));
    await producer.close();
    const change = {
      "unclean.leader.election.enable": "true",
      "message.timestamp.type": "CreateTime",
      "cleanup.policy": "compact",
    };
    await alter(topic, change);
    const found = await weak.weaknesses();
    expect(found.map(({ setting }) => setting).sort()).toEqual(
      [...Object.keys(change), "max.message.bytes", "replication", "min.insync.replicas"].sort(),
    );
    const strict = await openLog(url, { topic });
    await expect(strict.producer()).rejects.toThrow(
      /replication is 1, wanted 3 or more; .*WEIR_LOG_ALLOW_WEAK=1/,
    );
    await (await strict.reader()).close();
  });

  it("stops its writers once it was made anew under the same name", async () => {
    const topic = named();
    const log = await openLog(url, { topic, partitions: 1, allowWeak: true });
    await log.create();
    const producer = await log.producer();
    await producer.publish(0, new Uint8Array(1));
    await admin.deleteTopics({ topics: [topic] });
    await log.create();
    const publish = (): Promise<string | undefined> =>
      producer.publish(0, new Uint8Array(1)).then(
        () => undefined,
        (error: PublishError) => error.failure,
      );
    const deadline = Date.now() + 20_000;
    while ((await publish()) === undefined && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await publish()).toBe("not_stored");
    await producer.close();
  });
});
