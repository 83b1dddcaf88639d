// The products behind the edge: what is handed on to them, what is copied, and that neither is in anybody's way.
import { gunzipSync, gzipSync } from "node:zlib";
import { Analytics } from "@segment/analytics-node";
import { PostHog } from "posthog-node";
import { afterEach, describe, expect, it } from "vitest";
import { readEdgeConfig } from "../../edge/config.ts";
import { createDoors } from "../../edge/dialect/doors.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { readOutside } from "../../edge/outside.ts";
import { systemClock } from "../../shared/clock.ts";
import type { EventFields } from "../../shared/event/event.ts";
import type { Attributes, Meter } from "../../shared/meter.ts";
import { silentMeter } from "../../shared/meter.ts";
import { until } from "../support/until.ts";
import { openScene } from "./dialect/scene.ts";
import { bodiesOf, keyOf, testEdge, writeKey } from "./support.ts";

interface Got {
  method: string;
  path: string;
  headers: Headers;
  body: Uint8Array;
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function openProduct(
  answer: (got: Got) => Response | Promise<Response> = () => Response.json({ from: "product" }),
) {
  const got: Got[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const body = new Uint8Array(await request.arrayBuffer());
      const one = { method: request.method, path: pathname + search, headers: request.headers, body };
      got.push(one);
      return answer(one);
    },
  });
  ends.push(() => server.stop(true));
  return { url: server.url.origin, got };
}

async function openEdge(env: Record<string, string>) {
  const counted: [string, Attributes][] = [];
  const meter: Meter = {
    ...silentMeter,
    count: (name, _value, attributes = {}) => counted.push([name, attributes]),
  };
  const keys = fixedKeys(await Promise.all([writeKey, "wk_dialects"].map((key) => keyOf(key))));
  const edge = await testEdge({
    clock: systemClock,
    keys,
    meter,
    doors: createDoors(readOutside(readEdgeConfig({ env }), meter)),
  });
  const copies = (code: string): number =>
    counted.filter(([name, attributes]) => name === "weir.edge.copies" && attributes["weir.code"] === code)
      .length;
  const ask = (path: string, init: RequestInit = {}) =>
    edge.app.request(`http://edge.example${path}`, init, { client: { ip: "203.0.113.9" } } as never);
  return { ...edge, copies, ask };
}

const posthogTo = (url: string, copies = "0") => ({
  WEIR_POSTHOG_UPSTREAM: url,
  WEIR_POSTHOG_UPSTREAM_COPY: copies,
});
const segmentTo = (url: string) => ({ WEIR_SEGMENT_UPSTREAM: url, WEIR_SEGMENT_UPSTREAM_COPY: "1" });
const event = { uuid: "p-1", event: "t", properties: { distinct_id: "ada", token: writeKey } };

describe("what Weir does not serve", () => {
  it.each([
    ["POST", "/flags/?v=2&_=5"],
    ["POST", "/decide/?v=3&compression=base64"],
    ["POST", "/s/?compression=gzip-js"],
    ["POST", "/i/v1/logs?token=k"],
    ["GET", "/array/phc_1/config?ip=1"],
    ["GET", "/array/phc_1/config.js"],
    ["GET", "/static/recorder.js?v=1"],
    ["GET", "/api/surveys/?token=k"],
    ["GET", "/api/feature_flag/local_evaluation?token=k"],
  ])("is handed on as it came: %s %s", async (method, path) => {
    const product = openProduct();
    const { ask } = await openEdge(posthogTo(`${product.url}/base/`));
    const bytes = gzipSync("a body");
    const response = await ask(path, {
      method,
      headers: {
        ...{ origin: "https://shop.example", "content-type": "text/plain", authorization: "Bearer phx_1" },
        ...{ cookie: "session=of-the-shop", "x-forwarded-for": "made up", connection: "x-own", "x-own": "1" },
      },
      ...(method === "POST" ? { body: bytes } : {}),
    });
    expect([response.status, await response.json()]).toEqual([200, { from: "product" }]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    const [got] = product.got;
    expect([got!.method, got!.path]).toEqual([method, `/base${path}`]);
    expect(got!.body).toEqual(new Uint8Array(method === "POST" ? bytes : []));
    const names = ["authorization", "x-forwarded-for", "cookie", "x-own"];
    expect(names.map((name) => got!.headers.get(name))).toEqual(["Bearer phx_1", "203.0.113.9", null, null]);
  });

  it("comes back without what is the other host's own, packed or not, and redirects are not followed", async () => {
    const product = openProduct(({ path }) => {
      if (path === "/static/moved.js") return Response.redirect("http://10.0.0.1/secret", 302);
      const headers = {
        ...{ "content-encoding": "gzip", "content-type": "text/javascript", "cache-control": "max-age=60" },
        ...{
          "set-cookie": "a=b",
          "access-control-allow-origin": "*",
          "strict-transport-security": "max-age=1",
        },
      };
      return new Response(gzipSync("the script"), { status: 203, headers });
    });
    const { ask } = await openEdge(posthogTo(product.url));
    const response = await ask("/static/array.js", { headers: { origin: "https://shop.example" } });
    expect([response.status, await response.text()]).toEqual([203, "the script"]);
    const names = [
      "cache-control",
      "content-type",
      "set-cookie",
      "content-encoding",
      "strict-transport-security",
    ];
    expect(names.map((name) => response.headers.get(name))).toEqual([
      "max-age=60",
      "text/javascript",
      null,
      null,
      null,
    ]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect((await ask("/static/moved.js")).status).toBe(302);
  });

  it("has an answer where the product has none, and is bounded", async () => {
    const { ask } = await openEdge(posthogTo("http://127.0.0.1:9"));
    const away = await ask("/flags/", { method: "POST", body: "{}" });
    expect([away.status, ((await away.json()) as { code: string }).code]).toEqual([503, "not_ready"]);
    const large = await ask("/s/", { method: "POST", body: new Uint8Array(5 * 1024 * 1024) });
    expect(large.status).toBe(413);
    const product = openProduct(async () => new Promise(() => {}));
    const busy = await openEdge(posthogTo(product.url));
    const held = Array.from({ length: 33 }, () => busy.ask("/flags/", { method: "POST", body: "{}" }));
    expect(await Promise.race(held.map(async (response) => (await response).status))).toBe(503);
  });

  it("does not take events along, and keeps its hosts for scripts apart", async () => {
    const product = openProduct();
    const { post, collector } = await openEdge(posthogTo(product.url));
    expect((await post(event, {}, "/e/")).status).toBe(200);
    expect([collector.batches.length, product.got.length]).toEqual([1, 0]);
    const asked: string[] = [];
    const fake = (async (url: string) => {
      asked.push(String(url));
      return new Response("");
    }) as unknown as typeof fetch;
    const config = readEdgeConfig({ env: posthogTo("https://eu.i.posthog.com") });
    const edge = await testEdge({ doors: createDoors(readOutside(config, silentMeter, fake)) });
    for (const path of ["/static/array.js", "/array/k/config", "/api/surveys/"]) await edge.app.request(path);
    expect(asked).toEqual([
      "https://eu-assets.i.posthog.com/static/array.js",
      "https://eu-assets.i.posthog.com/array/k/config",
      "https://eu.i.posthog.com/api/surveys/",
    ]);
  });
});

describe("a copy", () => {
  it("goes to PostHog after the answer, unpacked", async () => {
    const product = openProduct();
    const { post, copies } = await openEdge(posthogTo(product.url, "1"));
    const packed = { "content-type": "text/plain" };
    expect((await post(gzipSync(JSON.stringify(event)), packed, "/e/?ip=1&compression=gzip-js")).status).toBe(
      200,
    );
    await until("the copy is there", 5_000, () => copies("ok") === 1);
    const [got] = product.got;
    expect([got!.path, JSON.parse(new TextDecoder().decode(got!.body))]).toEqual(["/e/?ip=1", event]);
    expect(got!.headers.get("content-encoding")).toBeNull();
  });

  it("goes to Segment with the client's own key", async () => {
    const product = openProduct();
    const { post, copies } = await openEdge(segmentTo(product.url));
    const key = `Basic ${btoa(`${writeKey}:`)}`;
    await post(
      { batch: [{ type: "track", event: "t", messageId: "1" }] },
      { authorization: key },
      "/v1/batch",
    );
    await until("the copy is there", 5_000, () => copies("ok") === 1);
    expect([product.got[0]!.path, product.got[0]!.headers.get("authorization")]).toEqual(["/v1/batch", key]);
  });

  it("is not made of what was not taken", async () => {
    const product = openProduct();
    const { post, collector, copies } = await openEdge(posthogTo(product.url, "1"));
    collector.before = async () => {
      throw new Error("away");
    };
    expect((await post(event, {}, "/e/")).status).toBe(500);
    expect((await post("{", {}, "/e/")).status).toBe(400);
    collector.before = async () => undefined;
    expect((await post(event, {}, "/e/")).status).toBe(200);
    await until("one copy is there", 5_000, () => copies("ok") === 1);
    expect(product.got).toHaveLength(1);
  });

  it("is in nobody's way where the product is slow, away, or refuses, and what has no room is counted", async () => {
    const slow = openProduct(async () => new Promise(() => {}));
    const held = await openEdge(posthogTo(slow.url, "1"));
    for (let at = 0; at < 300; at += 1) expect((await held.post(event, {}, "/e/")).status).toBe(200);
    // Eight under way, 256 behind them.
    expect(held.copies("dropped")).toBe(300 - 8 - 256);
    const refusing = openProduct(() => new Response(null, { status: 401 }));
    for (const [url, code] of [
      ["http://127.0.0.1:9", "failed"],
      [refusing.url, "refused"],
    ] as const) {
      const edge = await openEdge(posthogTo(url, "1"));
      expect((await edge.post(event, {}, "/e/")).status).toBe(200);
      await until(`it is counted as ${code}`, 5_000, () => edge.copies(code) === 1);
    }
  });

  it("has to go somewhere", () => {
    const read = (env: Record<string, string>) => () => readOutside(readEdgeConfig({ env }), silentMeter);
    expect(read({ WEIR_POSTHOG_UPSTREAM_COPY: "1" })).toThrow("WEIR_POSTHOG_UPSTREAM_COPY");
    expect(read({ WEIR_SEGMENT_UPSTREAM_COPY: "1" })).toThrow("WEIR_SEGMENT_UPSTREAM_COPY");
    expect(read({ WEIR_SEGMENT_UPSTREAM: "ftp://x" })).toThrow("WEIR_SEGMENT_UPSTREAM");
    expect(read({})).not.toThrow();
  });
});

describe("real clients with copies", () => {
  const serve = async (env: Record<string, string>) => {
    const edge = await openEdge(env);
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => edge.app.fetch(request) });
    ends.push(() => server.stop(true));
    return { ...edge, url: server.url.origin };
  };

  it("are counted alike here and there", async () => {
    const there = await openScene();
    ends.push(() => there.close());
    const edge = await serve({ ...posthogTo(there.url, "1"), ...segmentTo(there.url) });
    const posthog = new PostHog(there.writeKey, { host: edge.url, flushAt: 100 });
    const segment = new Analytics({ writeKey: there.writeKey, host: edge.url });
    for (let at = 0; at < 10; at += 1) {
      posthog.capture({ distinctId: "ada", event: "seen" });
      segment.track({ userId: "ada", event: "bought" });
    }
    await Promise.all([posthog.shutdown(10_000), segment.closeAndFlush()]);
    await until("the copies are there", 10_000, () => there.stored().length === 20);
    const here = edge.collector.batches.flatMap(bodiesOf).map((stored) => (stored as EventFields).eventId);
    expect(here).toHaveLength(20);
    expect(
      there
        .stored()
        .map(({ eventId }) => eventId)
        .sort(),
    ).toEqual(here.sort());
    expect(there.received()).toBe(20);
  });

  it("and a server that evaluates flags by PostHog itself does so", async () => {
    const product = openProduct(({ path, body }) => {
      if (!path.startsWith("/flags")) return Response.json({});
      const asked = JSON.parse(new TextDecoder().decode(body[0] === 0x1f ? gunzipSync(body) : body));
      return Response.json({
        featureFlags: { "new-cart": asked.distinct_id === "ada" },
        featureFlagPayloads: {},
      });
    });
    const edge = await serve(posthogTo(product.url));
    const posthog = new PostHog(writeKey, { host: edge.url });
    expect(await posthog.getAllFlags("ada")).toEqual({ "new-cart": true });
    await posthog.shutdown();
  });
});
