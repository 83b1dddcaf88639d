// The Kafka driver while its broker hangs or dies: nothing is told to be stored that is not.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaLog } from "../../../shared/log/kafka.ts";
import type { LogProducer } from "../../../shared/log/log.ts";
import { createOwner, waitMsMax } from "../../contract/log-owner.ts";
import { type RunningKafka, startKafka } from "../../services/kafka.ts";
import { describeWith } from "../../support/services.ts";
import { until } from "../../support/until.ts";

const deadlineMs = 2_000;

// A broker of its own, since stopping it would fail every other suite.
describeWith(["kafka"], "with a broker of its own", () => {
  let broker: RunningKafka;
  beforeAll(async () => {
    const started = await startKafka();
    if ("missing" in started) throw new Error(started.missing);
    broker = started;
  });
  afterAll(() => broker?.stop());

  async function made(partitions: number) {
    const options = { topic: `topic-${randomUUID()}`, partitions, allowWeak: true, deadlineMs };
    const log = kafkaLog(broker.url, options);
    await log.create();
    return log;
  }
  // As a client would: again after each failure, for as long as a broker may take to come back.
  async function publishUntilTaken(producer: LogProducer, partition: number, text: string): Promise<void> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      const error = await producer.publish(partition, Buffer.from(text)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) return;
      if (Date.now() > deadline) throw error;
    }
  }

  describe("a Kafka broker that hangs", () => {
    it("makes publishes unknown at their deadline, and they succeed again when it goes on", async () => {
      const log = await made(2);
      const producer = await log.producer();
      await producer.publish(0, Buffer.from("before"));
      process.kill(broker.pid, "SIGSTOP");
      try {
        const startedAt = performance.now();
        const sent = producer.publish(0, Buffer.from("in the air"));
        await new Promise((resolve) => setTimeout(resolve, 100));
        const queued = producer.publish(0, Buffer.from("behind it"));
        await expect(sent).rejects.toMatchObject({ name: "PublishError", failure: "unknown" });
        await expect(queued).rejects.toMatchObject({ failure: "not_stored" });
        expect(performance.now() - startedAt).toBeLessThan(deadlineMs * 1.5);
        await expect(producer.publish(1, Buffer.from("other lane"))).rejects.toBeInstanceOf(Error);
      } finally {
        process.kill(broker.pid, "SIGCONT");
      }
      await publishUntilTaken(producer, 0, "after");
      const reader = await log.reader();
      const { start, end } = (await reader.ranges()).get(0)!;
      const found = await Array.fromAsync(reader.read(0, start, end));
      const texts = found.map(({ value }) => Buffer.from(value).toString());
      // The one in the air may have been taken; what waited behind it was never sent.
      expect(texts[0]).toBe("before");
      expect(texts.at(-1)).toBe("after");
      expect(texts).not.toContain("behind it");
      await reader.close();
      await producer.close();
    });

    it("lets a consumer go on where its owner left off", async () => {
      const log = await made(2);
      const producer = await log.producer();
      const consumer = await log.consumer("aggregator");
      const owner = createOwner();
      await consumer.run(owner);
      await producer.publish(0, Buffer.from("0"));
      await until("delivered before", waitMsMax, () => owner.recordsOf(0).length === 1);
      process.kill(broker.pid, "SIGSTOP");
      // Longer than the group's session.
      await new Promise((resolve) => setTimeout(resolve, 12_000));
      process.kill(broker.pid, "SIGCONT");
      for (const partition of [0, 1]) await publishUntilTaken(producer, partition, "1");
      await until(
        "delivered after",
        waitMsMax,
        () => owner.recordsOf(0).length >= 2 && owner.recordsOf(1).length >= 1,
      );
      const offsets = owner.recordsOf(0).map(({ offset }) => Number(offset));
      expect(offsets).toEqual(offsets.map((_, at) => at));
      await consumer.close();
      await producer.close();
    }, 60_000);
  });
});
