// The buffer on Cloudflare's workerd: what was acknowledged while the collector was away reaches it, once,
// although the runtime is killed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readBuffers } from "../../aggregator/ledger/buffers.ts";
import { toHex } from "../../shared/event/bytes.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";
import { describeOn, findNode } from "../services/runtimes.ts";
import { until } from "../support/until.ts";
import { type RunningEdge, startWorker } from "./edges.ts";
import { secret, startUpstream, type Upstream, writeKey } from "./upstream.ts";

const requestCount = 20;

describeOn(await findNode(), "a Worker with a buffer", (node) => {
  let upstream: Upstream;
  let persist: string;
  let worker: RunningEdge | undefined;
  beforeEach(async () => {
    persist = mkdtempSync(join(tmpdir(), "weir-buffer-"));
    upstream = await startUpstream();
  });
  afterEach(async () => {
    await worker?.kill();
    worker = undefined;
    await upstream.close();
    rmSync(persist, { recursive: true, force: true });
  });

  const start = async (more: Record<string, string> = {}): Promise<RunningEdge> => {
    worker = await startWorker(node, { ...upstream.settings, ...more }, { persist });
    return worker;
  };
  const send = async (url: string, id: string, text = ""): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(`${url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${writeKey}`, connection: "close" },
      body: JSON.stringify([{ event_id: id, type: "t", payload: { text } }]),
    });
    return { status: response.status, body: await response.json() };
  };
  const states = async (url: string): Promise<{ batches: number; bytes: number; refused: number }[]> => {
    const signature = await (await createSigner([secret])).sign(new Uint8Array(), Date.now());
    const response = await fetch(`${url}/v1/buffer`, { headers: { [signatureHeader]: signature } });
    expect(response.status).toBe(200);
    return ((await response.json()) as { data: { batches: number; bytes: number; refused: number }[] }).data;
  };
  const kept = async (url: string): Promise<number> =>
    (await states(url)).reduce((sum, { batches }) => sum + batches, 0);

  it("keeps what the collector cannot take through kill -9, and brings each batch to it once", async () => {
    const first = await start();
    expect((await send(first.url, "warm")).status).toBe(202);
    upstream.isDown = true;
    const answers = await Promise.all(
      Array.from({ length: requestCount }, (_, index) => send(first.url, `e-${index}`)),
    );
    const acknowledged = answers.map(({ status, body }) => {
      expect([status, body]).toMatchObject([202, { received: 1, accepted: 1 }]);
      return (body as { batch_id: string }).batch_id.replaceAll("-", "");
    });
    expect(upstream.batches).toHaveLength(1);
    expect(await kept(first.url)).toBe(requestCount);
    const held = await readBuffers({ edges: [first.url], secrets: [secret] });
    expect([...held.batches.keys()].map((id) => id.replaceAll("-", "")).sort()).toEqual(
      acknowledged.toSorted(),
    );
    expect([held.unreadable, held.places]).toEqual([0, []]);
    await first.kill();

    upstream.isDown = false;
    upstream.batches.length = 0;
    const second = await start();
    await until("every batch is brought", 60_000, () => upstream.batches.length >= requestCount);
    await until("the buffer is empty", 20_000, async () => (await kept(second.url)) === 0);
    expect(upstream.batches.map(({ batchId }) => toHex(batchId)).sort()).toEqual(acknowledged.sort());
  }, 120_000);

  it("answers 503 when it is full, and takes events again once it has drained", async () => {
    const { url } = await start({ WEIR_BUFFER_BYTES_MAX: String(4 * 1024 * 1024), WEIR_BUFFER_OBJECTS: "1" });
    expect((await send(url, "warm")).status).toBe(202);
    upstream.isDown = true;
    const text = "x".repeat(60_000);
    let taken = 0;
    let last = await send(url, "full-0", text);
    for (let index = 1; last.status === 202 && index < 100; index += 1) {
      taken += 1;
      last = await send(url, `full-${index}`, text);
    }
    expect(last).toMatchObject({ status: 503, body: { code: "overloaded", retryable: true } });
    expect(taken).toBeGreaterThan(60);
    const [state] = await states(url);
    expect(state!.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
    upstream.isDown = false;
    await until("the buffer is empty", 90_000, async () => (await kept(url)) === 0);
    expect(new Set(upstream.batches.map(({ batchId }) => toHex(batchId))).size).toBe(taken + 1);
    expect((await send(url, "after")).status).toBe(202);
  }, 150_000);

  it("tells what it holds to nobody who does not sign", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/v1/buffer`)).status).toBe(401);
    expect((await fetch(`${url}/v1/buffer/batches`)).status).toBe(401);
  });
});
