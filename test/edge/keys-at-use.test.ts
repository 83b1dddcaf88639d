// Write keys where nothing runs between requests: asked for by whoever uses them, and by one of them alone.
import { describe, expect, it } from "vitest";
import { bufferedCollector } from "../../edge/buffer/buffered-collector.ts";
import { keysAtUse } from "../../edge/keys-at-use.ts";
import { silentLogger } from "../../shared/logger.ts";
import { WeirError } from "../../shared/problem.ts";
import { type Batch, outcome } from "../../shared/wire/batch.ts";
import { canaryBatch } from "../../shared/wire/canary.ts";
import { createSigner } from "../../shared/wire/signature.ts";
import { manualClock } from "../support/clock.ts";
import { fakeCollector, keyOf } from "./support.ts";

async function source() {
  const clock = manualClock();
  const key = await keyOf("wk_1");
  const asked = { times: 0, isDown: false, keys: [key] };
  const request = async () => {
    asked.times += 1;
    return asked.isDown ? new Response("down", { status: 503 }) : Response.json({ keys: asked.keys });
  };
  const signer = await createSigner(["secret"]);
  const keys = keysAtUse({
    url: "http://keys",
    signer,
    clock,
    logger: silentLogger,
    fetch: request as never,
  });
  const later: Promise<unknown>[] = [];
  const use = () => keys.use((work) => void later.push(work));
  return { clock, key, asked, keys, use, later };
}

describe("keys at use", () => {
  it("are asked for by the first use, and known then", async () => {
    const { keys, key, asked, use } = await source();
    expect([asked.times, keys.find(key.hash)]).toEqual([0, undefined]);
    await use();
    expect([asked.times, keys.find(key.hash)?.project]).toEqual([1, "shop"]);
  });

  it("are renewed after 30 s by one use alone, behind its answer", async () => {
    const { asked, use, later, clock } = await source();
    await use();
    await clock.advance(29_999);
    await use();
    expect([asked.times, later.length]).toEqual([1, 0]);
    await clock.advance(1);
    await Promise.all([use(), use(), use()]);
    await Promise.all(later);
    expect([asked.times, later.length]).toEqual([2, 1]);
  });

  it("stand as they were while their source is down", async () => {
    const { keys, key, asked, use, later, clock } = await source();
    await use();
    asked.isDown = true;
    await clock.advance(60_000);
    await use();
    await Promise.all(later);
    expect([asked.times, keys.find(key.hash)?.project]).toEqual([2, "shop"]);
    await expect(keys.ready()).resolves.toBe(undefined);
  });

  it("are not ready before there was a list", async () => {
    const { keys, asked, use } = await source();
    asked.isDown = true;
    await use();
    await expect(keys.ready()).rejects.toMatchObject({ code: "not_ready" });
  });
});

describe("a collector with a buffer before it", () => {
  const batch = { ...canaryBatch(new Uint8Array(16).fill(7), "edge", 0), project: "shop", count: 2 } as Batch;
  function sides() {
    const clock = manualClock();
    const collector = fakeCollector();
    const kept: Batch[] = [];
    const buffer = {
      put: async (one: Batch) => void kept.push(one),
      states: async () => [],
      list: async () => ({ data: [], cursor: null }),
    };
    const port = bufferedCollector({ collector, buffer, clock, logger: silentLogger });
    const fail = (code: "log_unavailable" | "record_too_large") => async () => {
      throw new WeirError(code, "no");
    };
    return { clock, collector, kept, port, fail };
  }

  it("keeps what the collector cannot take, and says that it is spooled", async () => {
    const { collector, kept, port, fail } = sides();
    collector.before = fail("log_unavailable");
    const answer = await port.send(batch);
    expect(answer).toEqual({
      batchId: batch.batchId,
      outcomes: Uint8Array.of(outcome.unchecked, outcome.unchecked),
      spooled: true,
    });
    expect(kept).toEqual([batch]);
  });

  it("looks again after two seconds, and keeps everything until then", async () => {
    const { clock, collector, kept, port, fail } = sides();
    let tries = 0;
    collector.before = async () => {
      tries += 1;
      await fail("log_unavailable")();
    };
    await port.send(batch);
    await port.send(batch);
    expect([tries, kept.length]).toEqual([1, 2]);
    await clock.advance(2_000);
    collector.before = async () => undefined;
    const empty = { ...batch, count: 0 };
    expect((await port.send(empty)).spooled).toBe(undefined);
    expect((await port.send(empty)).spooled).toBe(undefined);
    expect(kept).toHaveLength(2);
  });

  it("keeps neither a canary nor what no collector will ever take", async () => {
    const { collector, kept, port, fail } = sides();
    collector.before = fail("record_too_large");
    await expect(port.send(batch)).rejects.toMatchObject({ code: "record_too_large" });
    collector.before = fail("log_unavailable");
    await expect(port.send(canaryBatch(batch.batchId, "edge", 0))).rejects.toMatchObject({
      code: "log_unavailable",
    });
    expect(kept).toEqual([]);
  });
});
