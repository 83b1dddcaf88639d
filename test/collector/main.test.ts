// A collector from its start to its end.
import { afterEach, describe, expect, it } from "vitest";
import type { ClaimHealth, ClaimStore } from "../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { openClaims } from "../../collector/claims/open.ts";
import { readCollectorConfig } from "../../collector/config.ts";
import { type RunningCollector, type StartCollector, startCollector } from "../../collector/main.ts";
import { ConfigError } from "../../shared/config.ts";
import type { Logger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { launchRedis, type RunningRedis } from "../services/redis.ts";
import { manualClock } from "../support/clock.ts";
import { describeWith } from "../support/services.ts";
import { batchOf, fakeLog } from "./batches.ts";

const running: RunningCollector[] = [];
const servers: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((collector) => collector.close()));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function launch(options?: Parameters<typeof launchRedis>[0]): Promise<RunningRedis> {
  const server = await launchRedis(options);
  servers.push(server);
  return server;
}

async function started(more: Partial<StartCollector> = {}, health?: () => Promise<ClaimHealth>) {
  const clock = manualClock();
  const log = fakeLog();
  const told: string[] = [];
  const logger: Logger = { info: (code) => told.push(code), error: (code) => told.push(code) };
  const claims: ClaimStore = {
    ...createMemoryClaims({ clock }),
    ...(health === undefined ? {} : { health }),
  };
  const config = readCollectorConfig({ env: { WEIR_COLLECTOR_PORT: "0" } });
  const collector = await startCollector({
    ...{ config, producer: log.producer, claims, clock, meter: silentMeter, logger, listen: false },
    ...more,
  });
  running.push(collector);
  return { clock, log, told, claims, collector };
}

const batch = batchOf(1, [{ identity: 1 }, { identity: 2 }]);

describe("a collector", () => {
  it("takes batches in its process without a port or a secret", async () => {
    const { log, collector } = await started();
    expect(collector.url).toBe("");
    const answer = await collector.port.send(batch);
    expect([...answer.outcomes]).toEqual([outcome.published, outcome.published]);
    expect(log.records[0]?.record.receipt.collector).toMatch(/^.+-[0-9a-f]{8}$/);
  });

  it("refuses to listen without a secret", async () => {
    await expect(started({ listen: true })).rejects.toThrow(ConfigError);
    await expect(started({ listen: true })).rejects.toThrow("WEIR_EDGE_SECRET");
  });

  it("refuses to start on claims that evict, and names the setting and the mend", async () => {
    const evicting = async () => ({ evicts: true, detail: "maxmemory-policy allkeys-lru" });
    const start = started({}, evicting);
    await expect(start).rejects.toThrow("allkeys-lru");
    await expect(start).rejects.toThrow("CONFIG SET maxmemory-policy noeviction");
  });

  it("starts on claims that hide their policy, and says so", async () => {
    const { told } = await started({}, async () => ({ evicts: undefined, detail: "hidden" }));
    expect(told).toEqual(["claims_eviction_unknown"]);
  });

  it("starts on claims that are down, and publishes unchecked", async () => {
    const down = async (): Promise<never> => {
      throw new Error("unreachable");
    };
    const claims: ClaimStore = {
      claim: down,
      settle: down,
      release: down,
      count: down,
      health: down,
      close: async () => {},
    };
    const { collector, told, log } = await started({ claims });
    expect(told).toEqual(["claims_unavailable"]);
    for (let round = 1; round <= 5; round += 1) {
      const answer = await collector.port.send(batchOf(round, [{ identity: round }]));
      expect([...answer.outcomes]).toEqual([outcome.unchecked]);
    }
    expect(log.records).toHaveLength(5);
    expect(told).toEqual(["claims_unavailable", "claims_unavailable"]);
    await collector.port.ready();
  });

  it("asks again for the policy when the claims come back", async () => {
    const asked: ClaimHealth[] = [];
    const { clock, claims, collector, told } = await started({}, async () => {
      asked.push({ evicts: asked.length > 0, detail: "allkeys-lru" });
      return asked.at(-1)!;
    });
    const { claim } = claims;
    claims.claim = async () => Promise.reject(new Error("unreachable"));
    claims.settle = claims.claim as never;
    for (let round = 1; round <= 4; round += 1)
      await collector.port.send(batchOf(round, [{ identity: round }]));
    claims.claim = claim;
    await clock.advance(1_000);
    await collector.port.send(batchOf(9, [{ identity: 9 }]));
    await expect.poll(() => told).toEqual(["claims_unavailable", "claims_evict"]);
    expect(asked).toHaveLength(2);
  });

  it("is ready while the log can be reached, however the claims are", async () => {
    let reached: Promise<unknown> = Promise.resolve();
    const { clock, collector } = await started({ reachLog: () => reached });
    await collector.port.ready();
    reached = Promise.reject(new Error("no broker"));
    await expect(collector.port.ready()).rejects.toMatchObject({ code: "not_ready" });
    reached = new Promise(() => {});
    const late = expect(collector.port.ready()).rejects.toMatchObject({ code: "not_ready" });
    await clock.advance(2_000);
    await late;
  });

  it("at its end refuses what is new and answers what is under way", async () => {
    const { log, collector } = await started();
    const go = log.hold();
    const underWay = collector.port.send(batch);
    const closed = collector.close();
    await expect(collector.port.send(batchOf(2, [{ identity: 5 }]))).rejects.toMatchObject({
      code: "shutting_down",
    });
    await expect(collector.port.ready()).rejects.toMatchObject({ code: "shutting_down" });
    go();
    expect([...(await underWay).outcomes]).toEqual([outcome.published, outcome.published]);
    await closed;
    expect(log.records).toHaveLength(1);
  });
});

describeWith(["redis"], "a collector on a real Redis", () => {
  it("does not start where it evicts, and starts once it does not", async () => {
    const server = await launch({ settings: [["maxmemory-policy", "allkeys-lru"]] });
    const claims = await openClaims(server.url, { prefix: new Uint8Array(8) });
    await expect(started({ claims })).rejects.toThrow("maxmemory-policy allkeys-lru");
    const client = new Bun.RedisClient(server.url);
    await client.send("CONFIG", ["SET", "maxmemory-policy", "noeviction"]);
    client.close();
    const { collector, told } = await started({ claims });
    expect([...(await collector.port.send(batch)).outcomes]).toEqual([outcome.published, outcome.published]);
    expect(told).toEqual([]);
    await collector.close();
    await claims.close();
  });

  it("goes on unchecked when it stops half-way, and comes back to it", async () => {
    const server = await launch();
    const claims = await openClaims(server.url, { prefix: new Uint8Array(8) });
    const { clock, collector, log } = await started({ claims });
    const send = async (id: number): Promise<number[]> => [
      ...(await collector.port.send(batchOf(id, [{ identity: id % 100 }]))).outcomes,
    ];
    expect(await send(1)).toEqual([outcome.published]);
    await expect.poll(() => send(101)).toEqual([outcome.duplicate]);
    await server.stop();
    for (let id = 2; id < 20; id += 1) expect(await send(id)).toEqual([outcome.unchecked]);
    await launch({ port: server.port });
    await clock.advance(1_000);
    await expect
      .poll(async () => {
        await clock.advance(1_000);
        return send(30);
      })
      .not.toEqual([outcome.unchecked]);
    expect(log.records.length).toBeGreaterThan(19);
    await collector.close();
    await claims.close();
  });
});
