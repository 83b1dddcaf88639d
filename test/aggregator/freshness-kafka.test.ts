// Freshness on a real broker: while it is stopped, or gone, the aggregator says so in time, and is well again after.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stopServer } from "../../aggregator/store/embedded-server.ts";
import { type RunningKafka, startKafka } from "../services/kafka.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { openProcesses, type Settings, type Station } from "../support/processes.ts";
import { describeWith } from "../support/services.ts";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";

const minutes = 5 * 60_000;
const boundSeconds = 4;

describeWith(["kafka"], "freshness on a broker", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-freshness-kafka-"));
  const processes = openProcesses();
  let kafka: RunningKafka;
  let aggregator: Station;
  const stations: Station[] = [];
  beforeAll(async () => {
    const [started] = await Promise.all([startKafka(), copyDatabase(join(folder, "postgres"))]);
    if ("missing" in started) throw new Error(started.missing);
    kafka = started;
    const settings: Settings = {
      WEIR_DATA_DIR: folder,
      WEIR_EDGE_SECRET: "a secret of the tests alone",
      WEIR_LOG_URL: kafka.url,
      WEIR_LOG_ALLOW_WEAK: "1",
      WEIR_LOG_PARTITIONS: "2",
      WEIR_CANARY_SECONDS: "0.3",
      WEIR_FRESHNESS_MAX_SECONDS: String(boundSeconds),
    };
    succeeded(await processes.run(["migrate"], settings));
    aggregator = await processes.start("aggregator", settings);
    const collector = await processes.start("collector", settings);
    const hops = { WEIR_COLLECTOR_URL: collector.url, WEIR_KEYS_URL: aggregator.url };
    stations.push(aggregator, collector, await processes.start("edge", { ...settings, ...hops }));
    await untilFresh();
  }, minutes);
  afterAll(async () => {
    // Their broker is gone: asked to end, they would wait for it as long as they may.
    await Promise.all(stations.map((station) => station.kill()));
    await processes.close().catch(() => {});
    await stopServer(join(folder, "postgres", "data"));
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, minutes);

  /** One look at /readyz, and how long it took. */
  async function look() {
    const began = performance.now();
    const response = await fetch(`${aggregator.url}/readyz`);
    const told = (await response.json()) as Record<string, unknown>;
    return { status: response.status, told, ms: performance.now() - began };
  }
  const untilFresh = () =>
    until("it is fresh", 60_000, async () => Number((await look()).told["newest_canary_seconds"] ?? 9) < 2);

  /** Looks until it is not ready; every look is answered in time. */
  async function untilStale(): Promise<void> {
    const began = performance.now();
    let slowest = 0;
    let last: Awaited<ReturnType<typeof look>> | undefined;
    await until("it is not ready", 30_000, async () => {
      last = await look();
      slowest = Math.max(slowest, last.ms);
      return last.status === 503;
    });
    // From the newest canary's age of up to two seconds on, and a check that may take two itself.
    expect((performance.now() - began) / 1_000).toBeLessThan(boundSeconds + 3);
    expect(slowest).toBeLessThan(3_000);
    expect(last?.told).toMatchObject({ code: "not_ready", retryable: true });
    expect(last?.told["detail"]).toMatch(/the log does not answer|the newest canary is \d+ s old/);
    expect((await fetch(`${aggregator.url}/livez`)).status).toBe(200);
  }

  it(
    "is missed while the broker hangs, and is there again once it goes on",
    async () => {
      process.kill(kafka.pid, "SIGSTOP");
      await untilStale().finally(() => process.kill(kafka.pid, "SIGCONT"));
      await untilFresh();
    },
    minutes,
  );

  it(
    "is missed once the broker is gone",
    async () => {
      await kafka.stop();
      await untilStale();
    },
    minutes,
  );
});
