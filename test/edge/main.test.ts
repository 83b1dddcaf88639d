// An edge as it is started: from configuration to a listening server, with its hops over HTTP.
import { afterEach, describe, expect, it } from "vitest";
import { readEdgeConfig } from "../../edge/config.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { type RunningEdge, startEdge } from "../../edge/main.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { unpackBatch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { fakeCollector, keyOf, writeKey } from "./support.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const silent = { meter: silentMeter, logger: silentLogger };
const quiet = { WEIR_EDGE_PORT: "0", WEIR_CANARY_SECONDS: "0" };
const config = (env: Record<string, string> = {}) => readEdgeConfig({ env: { ...quiet, ...env } });

async function started(): Promise<RunningEdge & { collector: ReturnType<typeof fakeCollector> }> {
  const collector = fakeCollector();
  const keys = fixedKeys([await keyOf(writeKey)]);
  const edge = await startEdge({ ...silent, config: config(), collector, keys });
  open.push(() => edge.close());
  return { ...edge, collector };
}

const event = { type: "page_view", event_id: "e" };
const send = (url: string, body: BodyInit, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${writeKey}`, ...headers },
    body,
  });

describe("an edge in one process with its collector", () => {
  it("takes events at its port", async () => {
    const { url, collector } = await started();
    expect((await send(url, JSON.stringify(event))).status).toBe(202);
    expect(collector.batches).toHaveLength(1);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
  });

  it("refuses a body that never ends, and stays well", async () => {
    const { url } = await started();
    const chunk = new Uint8Array(256 * 1024).fill(0x20);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        if (sent > 1024 ** 3) controller.close();
        else controller.enqueue(chunk);
      },
    });
    // The answer comes while the body still does, so a client may see the connection end instead.
    const status = await send(url, body).then(
      (response) => response.status,
      () => 413,
    );
    expect(status).toBe(413);
    expect(sent).toBeLessThan(256 * 1024 ** 2);
    expect((await send(url, JSON.stringify(event))).status).toBe(202);
  });

  it("refuses by its stated length a body that it never reads", async () => {
    const { url } = await started();
    const response = await send(url, new Uint8Array(2 * 1024 ** 2));
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      413,
      "body_too_large",
    ]);
  });

  it("answers what is under way when it ends, and nothing after", async () => {
    const edge = await started();
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    edge.collector.before = () => {
      reached.resolve();
      return gate.promise;
    };
    const underWay = send(edge.url, JSON.stringify(event));
    await reached.promise;
    const closed = edge.close();
    const late = await send(edge.url, JSON.stringify(event));
    expect([late.status, late.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await fetch(`${edge.url}/readyz`)).status).toBe(503);
    gate.resolve();
    expect((await underWay).status).toBe(202);
    await closed;
    await expect(fetch(`${edge.url}/livez`)).rejects.toThrow();
  });
});

describe("an edge of its own", () => {
  it("learns its keys and forwards over HTTP", async () => {
    const key = await keyOf(writeKey, "far");
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        if (request.url.endsWith("/v1/keys")) return Response.json({ keys: [key] });
        if (request.url.endsWith("/readyz")) return new Response("ok");
        const batch = unpackBatch(new Uint8Array(await request.arrayBuffer()));
        expect(batch.project).toBe("far");
        return new Response(pack([batch.batchId, new Uint8Array(batch.count)]) as BodyInit);
      },
    });
    open.push(() => server.stop(true));
    const url = server.url.origin;
    const edge = await startEdge({
      ...silent,
      config: config({ WEIR_COLLECTOR_URL: url, WEIR_KEYS_URL: url, WEIR_EDGE_SECRET: "secret" }),
    });
    open.push(() => edge.close());
    await expect.poll(async () => (await fetch(`${edge.url}/readyz`)).status).toBe(200);
    expect(await (await send(edge.url, JSON.stringify(event))).json()).toMatchObject({ accepted: 1 });
  });

  it.each([
    [{}, "WEIR_EDGE_SECRET"],
    [{ WEIR_EDGE_SECRET: "s" }, "WEIR_COLLECTOR_URL"],
    [{ WEIR_EDGE_SECRET: "s", WEIR_COLLECTOR_URL: "http://127.0.0.1:1" }, "WEIR_KEYS_URL"],
  ])("does not start with %j alone", async (env, named) => {
    await expect(startEdge({ ...silent, config: config(env) })).rejects.toThrow(named);
  });
});
