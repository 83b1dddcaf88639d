// Kafka behind TLS and SASL: the right credentials come in, others do not, and no password gets out.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openLog } from "../../../shared/log/open.ts";
import { createOwner, waitMsMax } from "../../contract/log-owner.ts";
import { makeCertificates } from "../../services/certificates.ts";
import { type RunningKafkaTls, startKafkaTls } from "../../services/kafka.ts";
import { describeWith } from "../../support/services.ts";
import { until } from "../../support/until.ts";

describeWith(["kafka"], "Kafka with TLS and credentials", () => {
  let broker: RunningKafkaTls;
  beforeAll(async () => {
    const started = await startKafkaTls();
    if ("missing" in started) throw new Error(started.missing);
    broker = started;
  });
  afterAll(() => broker?.stop());

  const urlOf = (mechanism: string, password = broker.password): string =>
    `kafka+tls://${broker.user}:${encodeURIComponent(password)}@${broker.address}?mechanism=${mechanism}`;
  const topic = (): string => `topic-${randomUUID()}`;

  it.each(["plain", "scram-sha-256", "scram-sha-512"])(
    "lets the right user in by %s, in every role",
    async (mechanism) => {
      const logged: unknown[] = [];
      const note = (...line: unknown[]): void => void logged.push(line);
      const log = await openLog(urlOf(mechanism), {
        ...{ topic: topic(), partitions: 1, allowWeak: true, ca: broker.caPem },
        logger: { info: note, error: note },
      });
      await log.create();
      const producer = await log.producer();
      await producer.publish(0, Buffer.from("hello"));
      const owner = createOwner();
      const consumer = await log.consumer("aggregator");
      await consumer.run(owner);
      await until("delivered", waitMsMax, () => owner.recordsOf(0).length === 1);
      const reader = await log.reader();
      expect(await Array.fromAsync(reader.read(0, 0n, 1n))).toHaveLength(1);
      expect(log.label).toBe(`kafka+tls://${broker.address}`);
      for (const role of [producer, consumer, reader]) await role.close();
      expect(inspect(logged, { depth: 20 })).not.toContain(broker.password);
    },
  );

  it.each(["plain", "scram-sha-256", "scram-sha-512"])(
    "keeps a wrong password out by %s and shows none",
    async (mechanism) => {
      const wrong = `wrong-${randomUUID()}`;
      const log = await openLog(urlOf(mechanism, wrong), {
        topic: topic(),
        allowWeak: true,
        ca: broker.caPem,
      });
      const attempts = [
        log.create(),
        log.producer(),
        log.consumer("aggregator"),
        log.reader(),
        log.weaknesses(),
      ];
      for (const settled of await Promise.allSettled(attempts)) {
        expect(settled.status).toBe("rejected");
        const shown = inspect((settled as PromiseRejectedResult).reason, { depth: 20, showHidden: true });
        expect(shown).toMatch(/authenticat/i);
        expect(shown).not.toContain(wrong);
      }
    },
  );

  it("does not talk to a broker whose authority it does not know", async () => {
    const folder = await mkdtemp(join(tmpdir(), "weir-ca-"));
    const { caPem } = await makeCertificates(folder, ["127.0.0.1"]);
    await rm(folder, { recursive: true, force: true });
    for (const ca of [caPem, undefined]) {
      const log = await openLog(urlOf("plain"), { topic: topic(), allowWeak: true, ca });
      const error = await log.create().catch((thrown: unknown) => thrown);
      expect(inspect(error, { depth: 20, showHidden: true })).toMatch(/certificate|issuer|self.signed/i);
      expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(broker.password);
    }
  });

  it("does not get in without credentials or without TLS", async () => {
    const options = { topic: topic(), allowWeak: true, ca: broker.caPem };
    for (const url of [`kafka+tls://${broker.address}`, `kafka://${broker.address}`]) {
      await expect((await openLog(url, options)).create()).rejects.toThrow(broker.address);
    }
  });
});
