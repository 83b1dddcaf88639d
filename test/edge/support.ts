// An edge over a collector in memory, for the tests of the edge alone.

import { hash } from "../../edge/adapter/bun.ts";
import { createEdge, type EdgeDeps } from "../../edge/app.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { toHex } from "../../shared/event/bytes.ts";
import type { EventFields } from "../../shared/event/event.ts";
import { webCryptoHash } from "../../shared/event/hash.ts";
import type { WriteKey } from "../../shared/event/write-key.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type Batch, type CollectorPort, outcome } from "../../shared/wire/batch.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";

export const writeKey = "wk_test";
export const now = Date.UTC(2026, 10, 20, 12);

export interface FakeCollector extends CollectorPort {
  batches: Batch[];
  /** Replaces what `send` does before it answers; may reject, or wait. */
  before: (batch: Batch) => Promise<void>;
}

/** Keeps every batch, and answers duplicate for an identity hash it has seen. */
export function fakeCollector(): FakeCollector {
  const seen = new Set<string>();
  const fake: FakeCollector = {
    batches: [],
    before: async () => undefined,
    async send(batch) {
      await fake.before(batch);
      fake.batches.push(batch);
      const refused = new Set(batch.refusals.map(({ index }) => index));
      const outcomes = Uint8Array.from({ length: batch.count }, (_, index) => {
        if (refused.has(index)) return outcome.refused;
        const key = toHex(batch.hashes.subarray(index * 16, index * 16 + 16));
        if (seen.has(key)) return outcome.duplicate;
        seen.add(key);
        return outcome.published;
      });
      return { batchId: batch.batchId, outcomes };
    },
    ready: async () => undefined,
    close: async () => undefined,
  };
  return fake;
}

export async function keyOf(
  text: string,
  project = "shop",
  rights: WriteKey["rights"] = [],
): Promise<WriteKey> {
  const digest = await webCryptoHash([text]);
  return { hash: toHex(digest), project, rights };
}

export interface TestEdge {
  collector: FakeCollector;
  clock: ManualClock;
  app: ReturnType<typeof createEdge>;
  /** Sends a body with the test's key; anything but bytes and text is sent as JSON. */
  post(body: unknown, headers?: Record<string, string>, path?: string): Promise<Response>;
}

export async function testEdge(changed: Partial<EdgeDeps> = {}): Promise<TestEdge> {
  const collector = fakeCollector();
  const clock = manualClock(now);
  const keys = fixedKeys([await keyOf(writeKey), await keyOf("wk_old", "shop", ["historical"])]);
  const app = createEdge({
    name: "edge-1",
    collector,
    keys,
    clock,
    hash,
    meter: silentMeter,
    logger: silentLogger,
    rateEventsPerSecond: 1e9,
    ...changed,
  });
  return {
    collector,
    clock,
    app,
    async post(body, headers = {}, path = "/v1/events") {
      const isRaw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
      const init = {
        method: "POST",
        headers: { authorization: `Bearer ${writeKey}`, "content-type": "application/json", ...headers },
        body: (isRaw ? body : JSON.stringify(body)) as BodyInit,
      };
      return app.request(path, init);
    },
  };
}

/** The events of a batch: stored fields, or the original text of a refused one. */
export function bodiesOf(batch: Batch): (EventFields | string)[] {
  const refused = new Set(batch.refusals.map(({ index }) => index));
  let at = 0;
  return batch.sizes.map((size, index) => {
    const body = batch.bodies.subarray(at, at + size);
    at += size;
    return refused.has(index) ? new TextDecoder().decode(body) : unpackEvent(body);
  });
}
