// Answers are right when the aggregator is killed again and again while the retail file is sent.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createRandom } from "../../edge/command/load/random.ts";
import { retail, retailSample } from "../support/retail.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { startThreeProcesses, type ThreeProcesses } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import { differences } from "./facts.ts";
import { linesOf } from "./orders.ts";
import { settled } from "./settled.ts";

const minutes = 20 * 60_000;
const waitMsMax = 120_000;
const isLong = process.env["WEIR_TEST_LONG"] === "1";
const kills = isLong ? 12 : 3;
const batchLines = 500;
const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 1_000_000);

describeWith(["redis", "kafka", "postgres"], "the retail file, sent while an aggregator is killed", () => {
  let three: ThreeProcesses;
  beforeAll(async () => {
    const [log, claims, store] = [serviceUrl("kafka"), serviceUrl("redis"), serviceUrl("postgres")];
    three = await startThreeProcesses({ log, claims, store }, ["default"]);
  }, minutes);
  afterAll(() => three?.close(), minutes);

  it(
    "is answered as its facts say",
    async () => {
      console.info(`killed at random moments: WEIR_TEST_SEED=${seed}`);
      const { file, facts } = isLong ? retail() : retailSample();
      const lines = linesOf(file);
      const random = createRandom(seed);
      const key = three.keyOf("default");
      // It comes back where it was, since the edge asks it for keys.
      const again = { ...three.settings, WEIR_AGGREGATOR_PORT: new URL(three.aggregator.url).port };
      let aggregator = three.aggregator;
      const parts = Math.ceil(lines.length / batchLines);
      const strikes = new Set(
        Array.from({ length: kills }, (_, at) => Math.floor(((at + 0.5) * parts) / kills)),
      );
      for (let part = 0; part < parts; part += 1) {
        const body = lines.slice(part * batchLines, (part + 1) * batchLines).join("\n");
        const answer = await three.post("/v1/events", key, body, { "content-type": "application/x-ndjson" });
        expect(answer.status, await answer.text()).toBe(202);
        if (!strikes.has(part)) continue;
        await until("it is writing", waitMsMax, async () => (await rows()) > 0);
        await new Promise((resolve) => setTimeout(resolve, random() * 300));
        await aggregator.kill();
        aggregator = await three.processes.start("aggregator", again);
      }
      await settled(aggregator.url);
      expect(await rows()).toBe(facts.rows);
      expect(await differences(aggregator.url, facts, "default")).toEqual([]);
    },
    minutes,
  );

  async function rows(): Promise<number> {
    const [row] = await three.store.sql`select count(*)::int as rows from events`;
    return row!["rows"] as number;
  }
});
