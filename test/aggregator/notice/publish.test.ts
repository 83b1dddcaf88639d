// Notices on a real broker: in their order, at least once, under ids that tell copies apart.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { noteNotices } from "../../../aggregator/notice/notices.ts";
import { startNotices } from "../../../aggregator/notice/start.ts";
import { makeNoticeTopics } from "../../../aggregator/notice/topics.ts";
import { openStore } from "../../../aggregator/store/open.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { Log } from "../../../shared/log/log.ts";
import type { NoticePublisher } from "../../../shared/log/notices.ts";
import { openLog } from "../../../shared/log/open.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { copyDatabase } from "../../support/embedded-database.ts";
import { openProcesses, type Settings } from "../../support/processes.ts";
import { describeWith, serviceUrl } from "../../support/services.ts";
import { succeeded } from "../../support/three-processes.ts";
import { until } from "../../support/until.ts";
import { readTopic } from "./read-topic.ts";

const minutes = 3 * 60_000;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describeWith(["kafka"], "notices on a broker", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-notices-kafka-"));
  const processes = openProcesses();
  let settings: Settings;
  let store: Store;
  let log: Log;
  /** No log of events: nothing is closed in these tests. */
  const reader = {
    identity: { id: "none", topic: "none", partitions: 1 },
    ranges: async () => new Map([[0, { start: 0n, end: 1n }]]),
  };
  beforeAll(async () => {
    settings = {
      WEIR_DATA_DIR: folder,
      WEIR_EDGE_SECRET: "a secret of the tests alone",
      WEIR_LOG_URL: serviceUrl("kafka"),
      WEIR_LOG_TOPIC: `events-${randomBytes(4).toString("hex")}`,
      WEIR_LOG_ALLOW_WEAK: "1",
      WEIR_LOG_PARTITIONS: "1",
    };
    await copyDatabase(join(folder, "postgres"));
    succeeded(await processes.run(["migrate"], settings));
    store = await openStore("embedded:", { schema: "weir", dataDir: folder });
    log = await openLog(serviceUrl("kafka"), { topic: "unused", partitions: 1, allowWeak: true });
  }, minutes);
  afterAll(async () => {
    await processes.close().catch(() => {});
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  }, minutes);

  const newTopics = () => {
    const suffix = randomBytes(4).toString("hex");
    return { metrics: `metrics-${suffix}`, alerts: `alerts-${suffix}` };
  };
  const start = (topics: ReturnType<typeof newTopics>, given: Log = log) =>
    startNotices({
      store,
      log: given,
      reader,
      clock: systemClock,
      meter: silentMeter,
      logger: silentLogger,
      topics,
      latenessMs: 3_600_000,
    });
  /** Notes `count` notices over three keys, in two transactions. */
  async function note(count: number): Promise<void> {
    const notices = Array.from({ length: count }, (_, at) => ({
      topic: "metrics" as const,
      key: `key ${at % 3}`,
      body: { at, revenue_usd: "0.10" },
    }));
    const half = Math.floor(count / 2);
    await store.sql.begin((tx) => noteNotices(tx, notices.slice(0, half)));
    await store.sql.begin((tx) => noteNotices(tx, notices.slice(half)));
  }
  const waiting = async (): Promise<number> => {
    const [row] = await store.sql`select count(*)::int as waiting from notices where published_at is null`;
    return row?.["waiting"] as number;
  };
  const untilPublished = () => until("nothing waits", 60_000, async () => (await waiting()) === 0);
  const idsNow = async (): Promise<string[]> => {
    const rows = await store.sql<{ id: string }[]>`select id from notices order by number`;
    return rows.map(({ id }) => id);
  };

  it(
    "publishes each once in the order of its key, while two publish",
    async () => {
      await store.sql`truncate notices`;
      const topics = newTopics();
      const named = { WEIR_METRICS_TOPIC: topics.metrics, WEIR_ALERTS_TOPIC: "" };
      await makeNoticeTopics(log, named);
      const made = await openLog(serviceUrl("kafka"), { topic: topics.metrics });
      const madeReader = await made.reader();
      expect(madeReader.identity.partitions).toBe(6);
      await madeReader.close();
      const both = [start(topics), start(topics)];
      await note(1_100);
      await store.sql.begin((tx) =>
        noteNotices(tx, [{ topic: "alerts", key: "rule 1", body: { state: "firing" } }]),
      );
      await untilPublished();
      await Promise.all(both.map((one) => one.close()));
      const read = await readTopic(serviceUrl("kafka"), topics.metrics, ({ length }) => length >= 1_100);
      expect(read).toHaveLength(1_100);
      for (const { key, header, body } of read) {
        expect(body).toMatchObject({ id: header, revenue_usd: "0.10", made_at: expect.any(String) });
        expect(key).toBe(`key ${Number(body["at"]) % 3}`);
      }
      for (const [, own] of Map.groupBy(read, ({ key }) => key)) {
        const places = own.map(({ body }) => Number(body["at"]));
        expect(places).toEqual(places.toSorted((left, right) => left - right));
        expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      }
      const alerts = await readTopic(serviceUrl("kafka"), topics.alerts, ({ length }) => length >= 1);
      expect(alerts.map(({ key, body }) => [key, body["state"]])).toEqual([["rule 1", "firing"]]);
      const ids = [...read, ...alerts].map(({ header }) => header);
      expect(ids.toSorted()).toEqual((await idsNow()).toSorted());
    },
    minutes,
  );

  it(
    "loses none where it is killed between publishing and marking, and copies have the same ids",
    async () => {
      await store.sql`truncate notices`;
      const topics = newTopics();
      const own = { ...settings, WEIR_METRICS_TOPIC: topics.metrics, WEIR_ALERTS_TOPIC: topics.alerts };
      const { pid } = await processes.start("aggregator", { ...own, WEIR_TEST_CRASH_AT: "notices_sent" });
      await note(30);
      await until("it is gone", 60_000, () => !isAlive(pid));
      const once = await readTopic(serviceUrl("kafka"), topics.metrics, ({ length }) => length > 0);
      expect(await waiting()).toBe(30);
      const second = await processes.start("aggregator", own);
      await untilPublished();
      await second.stop();
      const ids = await idsNow();
      const read = await readTopic(
        serviceUrl("kafka"),
        topics.metrics,
        (found) => found.length >= 30 + once.length,
      );
      expect(new Set(read.map(({ header }) => header))).toEqual(new Set(ids));
      expect(read.length).toBeGreaterThan(30);
      for (const [, own] of Map.groupBy(read, ({ key }) => key)) {
        const places = own.slice(-10).map(({ body }) => Number(body["at"]));
        expect(places).toEqual(places.toSorted((left, right) => left - right));
      }
    },
    minutes,
  );

  it(
    "keeps them while the log takes none, and ends at once while it does not answer",
    async () => {
      await store.sql`truncate notices`;
      const topics = newTopics();
      const asked: string[] = [];
      let isAway = true;
      const shaky: Log = {
        ...log,
        notices: (names) => {
          const publisher = log.notices?.(names) as NoticePublisher;
          return {
            ...publisher,
            async publish(notices) {
              asked.push(names[0]!);
              if (isAway) throw new Error("away");
              await publisher.publish(notices);
            },
          };
        },
      };
      await note(4);
      const running = start(topics, shaky);
      await until("it was asked twice", 30_000, () => asked.length >= 2);
      expect(await waiting()).toBe(4);
      isAway = false;
      await untilPublished();
      await running.close();
      const read = await readTopic(serviceUrl("kafka"), topics.metrics, ({ length }) => length >= 4);
      expect(read).toHaveLength(4);

      await note(2);
      const hung = Promise.withResolvers<void>();
      const silent: Log = {
        ...log,
        notices: () => ({
          create: async () => {},
          async publish() {
            hung.resolve();
            await new Promise(() => {});
          },
          close: async () => {},
        }),
      };
      const hanging = start(topics, silent);
      await hung.promise;
      const began = performance.now();
      await hanging.close();
      expect(performance.now() - began).toBeLessThan(1_500);
      await until("its transaction is undone", 10_000, async () => {
        const [row] = await store.sql`
          select count(*)::int as open from pg_stat_activity where state = 'idle in transaction'`;
        return row?.["open"] === 0;
      });
      expect(await waiting()).toBe(2);
    },
    minutes,
  );
});
