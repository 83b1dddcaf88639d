// An edge's canaries: sent on their own through the collector's door, whatever became of the one before.
import { afterEach, describe, expect, it } from "vitest";
import { createAccept } from "../../edge/accept.ts";
import { hash } from "../../edge/adapter/bun.ts";
import { startCanary } from "../../edge/canary.ts";
import { readEdgeConfig } from "../../edge/config.ts";
import { native } from "../../edge/dialect/native.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { startEdge } from "../../edge/main.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { WeirError } from "../../shared/problem.ts";
import { type Batch, packBatch, unpackBatch } from "../../shared/wire/batch.ts";
import { canaryProject, isCanary } from "../../shared/wire/canary.ts";
import { manualClock } from "../support/clock.ts";
import { until } from "../support/until.ts";

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

const clockTick = () => new Promise((resolve) => setImmediate(resolve));

function collectorOf(answer: (batch: Batch) => Promise<void> = async () => {}) {
  const batches: Batch[] = [];
  return {
    batches,
    async send(batch: Batch) {
      batches.push(batch);
      await answer(batch);
      return { batchId: batch.batchId, outcomes: new Uint8Array(batch.count) };
    },
    ready: async () => {},
    close: async () => {},
  };
}

describe("an edge's canary", () => {
  it("is sent at once and again and again, each a batch of its own without events", async () => {
    const clock = manualClock();
    const collector = collectorOf();
    const counted: unknown[] = [];
    const meter = { ...silentMeter, count: (...call: unknown[]) => void counted.push(call) };
    startCanary({ name: "e-1", collector, clock, meter, logger: silentLogger, everyMs: 10_000 });
    await until("the first is sent", 1_000, async () => collector.batches.length === 1);
    // Its answer is read, and the wait for the next one begun.
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(9_999);
    expect(collector.batches).toHaveLength(1);
    await clock.advance(20_001);
    expect(collector.batches).toHaveLength(4);
    expect(new Set(collector.batches.map(({ batchId }) => String(batchId))).size).toBe(4);
    for (const [at, batch] of collector.batches.entries()) {
      expect(isCanary(batch)).toBe(true);
      expect([batch.edge, batch.receivedAt]).toEqual(["e-1", Date.UTC(2026, 10, 20, 12) + at * 10_000]);
    }
    expect(isCanary(unpackBatch(packBatch(collector.batches[0]!)))).toBe(true);
    expect(counted[0]).toEqual(["weir.edge.canaries", 1, { "weir.code": "ok" }]);
  });

  it("goes on after one that failed, and says so", async () => {
    const clock = manualClock();
    const collector = collectorOf(async () => {
      if (collector.batches.length === 1) throw new WeirError("log_unavailable", "down");
    });
    const said: unknown[] = [];
    const logger = { ...silentLogger, error: (...call: unknown[]) => void said.push(call) };
    startCanary({ name: "e", collector, clock, meter: silentMeter, logger, everyMs: 1_000 });
    await until("the first failed", 1_000, async () => said.length === 1);
    expect(said).toEqual([["canary_failed", { reason: "log_unavailable" }]]);
    await clock.advance(1_000);
    await until("the second is sent", 1_000, async () => collector.batches.length === 2);
    expect(said).toHaveLength(1);
  });

  it("needs no write key, and ends with its edge", async () => {
    const collector = collectorOf();
    const config = readEdgeConfig({ env: { WEIR_EDGE_PORT: "0", WEIR_CANARY_SECONDS: "0.01" } });
    const silent = { meter: silentMeter, logger: silentLogger };
    const edge = await startEdge({ ...silent, config, collector, keys: fixedKeys([]) });
    open.push(() => edge.close());
    await until("three are sent", 5_000, async () => collector.batches.length >= 3);
    await edge.close();
    // It was waited for, so none can come any more.
    const sent = collector.batches.length;
    await clockTick();
    expect(collector.batches).toHaveLength(sent);
  });

  it.each([
    ["where the setting is 0", { WEIR_CANARY_SECONDS: "0" }, true],
    ["by a pipeline without a port", {}, false],
  ])("is not sent %s", async (_, env, listen) => {
    const collector = collectorOf();
    const config = readEdgeConfig({ env: { WEIR_EDGE_PORT: "0", ...env } });
    const silent = { meter: silentMeter, logger: silentLogger };
    const edge = await startEdge({ ...silent, config, collector, keys: fixedKeys([]), listen });
    await edge.close();
    expect(collector.batches).toEqual([]);
  });

  it("shares its project with nobody", async () => {
    const collector = collectorOf();
    const deps = {
      name: "e",
      collector,
      clock: manualClock(),
      hash,
      meter: silentMeter,
      logger: silentLogger,
    };
    const submitted = createAccept(deps).submit({
      project: canaryProject,
      rights: [],
      dialect: native,
      events: [{ type: "page_view" }],
      original: () => new Uint8Array(),
      receivedAt: Date.UTC(2026, 10, 20, 12),
    });
    await expect(submitted).rejects.toMatchObject({ code: "forbidden" });
    expect(collector.batches).toEqual([]);
  });
});
