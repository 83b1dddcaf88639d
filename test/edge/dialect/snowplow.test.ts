// Snowplow's tracker protocol: what its events become, by POST and as a pixel, and what its node tracker does.
import {
  buildPageView,
  buildSelfDescribingEvent,
  buildStructEvent,
  newTracker,
} from "@snowplow/node-tracker";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../../edge/keys.ts";
import type { EventFields } from "../../../shared/event/event.ts";
import { policyShape } from "../../../shared/event/policy.ts";
import { aliasText } from "../../../shared/event/write-key.ts";
import { WeirError } from "../../../shared/problem.ts";
import type { Refusal } from "../../../shared/wire/refusal.ts";
import { until } from "../../support/until.ts";
import { bodiesOf, keyOf, now, testEdge } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, judged, type Sent } from "./fuzz.ts";
import { openScene } from "./scene.ts";

const path = "/com.snowplowanalytics.snowplow/tp2";
const appId = "shop-web";
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const entity = (name: string, data: unknown, vendor = "com.acme") => ({
  schema: `iglu:${vendor}/${name}/jsonschema/1-0-0`,
  data,
});
const contexts = (...data: unknown[]) => ({
  schema: "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0",
  data,
});
const unstruct = (data: unknown) => ({
  schema: "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
  data,
});
const started = {
  schema: "iglu:com.acme/checkout_started/jsonschema/2-1-0",
  data: { items: 3, note: "é😀" },
};
const base = {
  eid: "0b1d0b6c-6f3d-4c1c-9d1a-1c5f4f0a2b11",
  p: "web",
  tv: "js-4.10.1",
  tna: "sp",
  aid: appId,
  uid: "u1",
  duid: "d1",
  sid: "s1",
  vid: "2",
  dtm: String(now - 1000),
  stm: String(now - 10),
};
const about = { url: "https://shop.example/", page: "Shop", refr: "https://a.example/" };

async function sent(events: unknown, changes: { path?: string; body?: string } = {}) {
  const keys = fixedKeys([await keyOf(aliasText(appId)), await keyOf(aliasText("other"), "other")]);
  const edge = await testEdge({ keys });
  const body = changes.body ?? {
    schema: "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
    data: events,
  };
  const headers = { authorization: "", origin: "https://shop.example", "x-request-id": "r" };
  const response = await edge.post(body, headers, changes.path ?? path);
  return {
    edge,
    response,
    events: edge.collector.batches.flatMap(bodiesOf),
    batches: edge.collector.batches,
  };
}
const parsed = (stored: unknown) => {
  const { payload, context } = stored as { payload: string; context: string };
  return { payload: JSON.parse(payload) as unknown, context: JSON.parse(context) as Record<string, unknown> };
};

describe("anonymous tracking", () => {
  const client = { ip: "203.0.113.7", country: "DE", city: "Köln", device: "mobile" };
  const ask = async (anonymous: Record<string, string>, isPixel: boolean) => {
    const policies = { shop: policyShape.parse({ ip: "keep", takes_client_context: true }) };
    const keys = fixedKeys([await keyOf(aliasText(appId))], policies);
    const edge = await testEdge({ keys });
    const { duid: _, ...event } = { ...base, e: "pv", nuid: "n1", ip: "198.51.100.4" };
    const body = JSON.stringify({ data: [event] });
    const init = isPixel ? { headers: anonymous } : { method: "POST", headers: anonymous, body };
    const response = await edge.app.request(isPixel ? `/i?${new URLSearchParams(event)}` : path, init, {
      client,
    });
    expect(response.status).toBe(200);
    return edge.collector.batches.flatMap(bodiesOf)[0] as EventFields;
  };

  it.each([true, false])("keeps no address, place or network's id, by pixel: %s", async (isPixel) => {
    const found = await ask({ "sp-anonymous": "*" }, isPixel);
    expect(found).toMatchObject({ anonymousId: null, country: null, city: null, device: "mobile" });
    expect(found.context).not.toMatch(/203|198\.51|n1/);
  });

  it.each([true, false])("is asked for by its header alone, by pixel: %s", async (isPixel) => {
    const found = await ask({}, isPixel);
    expect(found).toMatchObject({ anonymousId: "n1", device: "mobile" });
    expect(JSON.parse(found.context)).toMatchObject({ ip: "198.51.100.4" });
  });
});

describe("a tracker's event", () => {
  it("is found by its app id alone, and has its ids, times and the rest in their places", async () => {
    const { response, events, batches } = await sent([{ ...base, e: "pv", ...about, res: "10x20" }]);
    expect([response.status, await response.text()]).toEqual([200, "ok"]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    expect(batches[0]!.project).toBe("shop");
    expect(events).toMatchObject([
      {
        identity: "event_id",
        eventId: base.eid,
        type: "page_view",
        userId: "u1",
        anonymousId: "d1",
        sessionId: "s1",
        clientTime: now - 1000,
        clockOffsetMs: 10,
      },
    ]);
    expect(parsed(events[0])).toEqual({
      payload: { url: about.url, title: about.page, referrer: about.refr },
      context: {
        p: "web",
        tv: "js-4.10.1",
        tna: "sp",
        aid: appId,
        vid: "2",
        res: "10x20",
        source_type: "pv",
        request_id: "r",
      },
    });
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, unknown]>([
    [
      "a page ping",
      { e: "pp", ...about, pp_mix: "0", pp_max: "12" },
      { type: "page_ping" },
      { url: about.url, title: about.page, referrer: about.refr, min_x: 0, max_x: 12 },
    ],
    [
      "a structured event",
      { e: "se", se_ca: "shop", se_ac: "add", se_la: "blue", se_va: "2.5" },
      { type: "add" },
      { category: "shop", action: "add", label: "blue", value: 2.5 },
    ],
    [
      "a transaction",
      { e: "tr", tr_id: "o1", tr_tt: "20.10", tr_cu: "eur", tr_co: "DE" },
      { type: "transaction", revenue: "20.10", currency: "EUR", country: null },
      { transaction_id: "o1", revenue: "20.10", currency: "eur", country: "DE" },
    ],
    [
      "its item",
      { e: "ti", ti_id: "o1", ti_sk: "k", ti_pr: "10.05", ti_qu: "2" },
      { type: "transaction_item", revenue: null },
      { transaction_id: "o1", sku: "k", price: 10.05, quantity: 2 },
    ],
    [
      "a self-describing event",
      { e: "ue", ue_pr: JSON.stringify(unstruct(started)) },
      { type: "checkout_started", version: 2 },
      started.data,
    ],
    [
      "one in base64",
      { e: "ue", ue_px: base64(unstruct(started)) },
      { type: "checkout_started", version: 2 },
      started.data,
    ],
    [
      "an e-commerce action",
      {
        e: "ue",
        ue_px: base64(
          unstruct(
            entity(
              "snowplow_ecommerce_action",
              { type: "transaction" },
              "com.snowplowanalytics.snowplow.ecommerce",
            ),
          ),
        ),
        cx: base64(
          contexts(
            entity(
              "transaction",
              { revenue: 9.5, currency: "USD" },
              "com.snowplowanalytics.snowplow.ecommerce",
            ),
          ),
        ),
      },
      { type: "snowplow_ecommerce_action", revenue: "9.5", currency: "USD" },
      { type: "transaction", revenue: 9.5, currency: "USD" },
    ],
  ])("that is %s", async (_, fields, stored, payload) => {
    const { events } = await sent([{ ...base, ...fields }]);
    expect(events).toMatchObject([stored]);
    expect(parsed(events[0]).payload).toEqual(payload);
  });

  it.each(["co", "cx"])("keeps its entities (%s), and the application's version", async (name) => {
    const list = contexts(entity("web_page", { id: "w" }), entity("application", { version: "7.1" }));
    const { events } = await sent([
      { ...base, e: "pv", [name]: name === "cx" ? base64(list) : JSON.stringify(list) },
    ]);
    expect(events).toMatchObject([{ appVersion: "7.1" }]);
    expect(parsed(events[0]).context["entities"]).toEqual(list.data);
  });

  it("counts at its true time, and keeps the device's beside it", async () => {
    const { events } = await sent([{ ...base, e: "pv", ttm: String(now - 5000) }]);
    expect(events).toMatchObject([{ clientTime: now - 5000 }]);
    expect(parsed(events[0]).context["dtm"]).toBe(base.dtm);
  });

  it("sent again later is a copy, whatever its time of sending", async () => {
    const first = await sent([{ ...base, e: "pv" }]);
    const again = await sent([{ ...base, e: "pv", stm: String(now) }]);
    expect(again.batches[0]!.hashes).toEqual(first.batches[0]!.hashes);
    expect(again.batches[0]!.fingerprints).toEqual(first.batches[0]!.fingerprints);
  });

  it("comes as a pixel too, and is the same event", async () => {
    const posted = await sent([{ ...base, e: "ue", ue_px: base64(unstruct(started)) }]);
    const query = new URLSearchParams({ ...base, e: "ue", ue_px: base64(unstruct(started)) });
    const response = await posted.edge.app.request(`/i?${query}`);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/gif"]);
    expect((await response.arrayBuffer()).byteLength).toBe(43);
    expect(posted.batches[1]!.hashes).toEqual(posted.batches[0]!.hashes);
    expect(posted.batches[1]!.fingerprints).toEqual(posted.batches[0]!.fingerprints);
  });

  it("may hide in base64 what the store cannot hold", async () => {
    const { events } = await sent([
      { ...base, e: "ue", ue_px: base64(unstruct(entity("a", { text: "\0" }))) },
    ]);
    expect(parsed(events[0]).payload).toEqual({ text: "\ufffd" });
  });
});

describe("bad input", () => {
  const ue = (value: unknown) => ({ e: "ue", ue_px: base64(value) });
  it.each<[string, Record<string, unknown>, string, string]>([
    ["no kind", {}, "missing_field", "/e"],
    ["an unknown kind", { e: "xx" }, "invalid_value", "/e"],
    ["a kind that every object has", { e: "constructor" }, "invalid_value", "/e"],
    ["no action", { e: "se", se_ca: "c" }, "missing_field", "/se_ac"],
    ["no data", { e: "ue" }, "missing_field", "/ue_pr"],
    ["data that is no base64", { e: "ue", ue_px: "%%%" }, "invalid_value", "/ue_px"],
    ["data that is no JSON", { e: "ue", ue_pr: "{" }, "invalid_value", "/ue_pr"],
    ["data without a schema", ue(unstruct({ data: 1 })), "invalid_value", "/ue_px"],
    ["a schema that is none", ue(unstruct({ schema: "x", data: {} })), "invalid_value", "/ue_px"],
    [
      "a number no double holds",
      { e: "ue", ue_pr: JSON.stringify(unstruct(started)).replace("3", "12345678901234567890") },
      "number_not_representable",
      "/ue_pr",
    ],
    ["entities that are no list", { e: "pv", cx: base64({ data: 7 }) }, "invalid_value", "/cx"],
    ["a time that is none", { e: "pv", dtm: "soon" }, "timestamp_invalid", "/dtm"],
    ["a time ahead", { e: "pv", ttm: String(now + 9e6) }, "time_ahead", "/ttm"],
    ["a revenue that is none", { e: "tr", tr_tt: "lots" }, "invalid_value", "/tr_tt"],
    [
      "depth",
      ue(unstruct(entity("a", JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`)))),
      "nesting_too_deep",
      "",
    ],
    ["endless text", { e: "pv", page: "x".repeat(70_000) }, "event_too_large", ""],
  ])("%s is quarantined whole, and the rest is taken", async (_, change, code, pointer) => {
    const bad = { ...base, eid: "bad", ...change };
    const { response, events, batches } = await sent([{ ...base, e: "pv" }, bad]);
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([{ index: 1, code, pointer }]);
    expect(JSON.parse(events[1] as string)).toEqual(bad);
  });

  it.each<[string, object, object]>([
    [
      "in base64",
      { e: "ue", ue_px: base64({ secret: "s", mail: "ada@shop.example" }) },
      { ue_pr: { mail: "[email]" } },
    ],
    ["as text", { e: "pv", co: JSON.stringify({ secret: "s", data: 7 }) }, { co: { data: 7 } }],
    [
      "cut off",
      { e: "ue", ue_px: base64({ mail: "ada@shop.example" }).slice(0, 34) },
      { ue_px: '{"mail":"[email]' },
    ],
  ])("is kept without what its project keeps none of, %s too", async (_, change, kept) => {
    const policy = policyShape.parse({ denied_properties: ["secret"], scan: { action: "mask" } });
    const keys = fixedKeys([await keyOf(aliasText(appId))], { shop: policy });
    const edge = await testEdge({ keys });
    await edge.post({ data: [{ ...base, ...change }] }, { authorization: "" }, path);
    const [event] = edge.collector.batches.flatMap(bodiesOf);
    expect(JSON.parse(event as string)).toEqual({ ...base, e: (change as { e: string }).e, ...kept });
    const [{ origin, code }] = edge.collector.batches[0]!.refusals as [Refusal];
    expect(judged(new TextEncoder().encode(event as string), origin!)).not.toBe("accepted");
    expect(code).toBe("invalid_value");
  });

  it.each<[string, string, number, string]>([
    ["no JSON", "{", 400, "body_malformed"],
    [
      "an unknown app id",
      JSON.stringify({ data: [{ ...base, aid: "no", e: "pv" }] }),
      401,
      "unknown_write_key",
    ],
    ["two app ids", JSON.stringify({ data: [{ aid: appId }, { aid: "other" }] }), 400, "body_malformed"],
    ["too many", JSON.stringify({ data: Array(2501).fill({ aid: appId }) }), 422, "too_many_events"],
    [
      "a huge body",
      JSON.stringify({ data: [{ aid: appId, page: "x".repeat(1 << 20) }] }),
      422,
      "body_too_large",
    ],
  ])("%s is refused with what the tracker takes as final", async (_, body, status, code) => {
    const { response, batches } = await sent([], { body });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(batches).toEqual([]);
  });

  it("is never what a fault of ours is answered as", async () => {
    const { edge } = await sent([{ ...base, e: "pv" }]);
    for (const [code, status] of [
      ["log_unavailable", 503],
      ["rate_limited", 429],
      ["internal", 500],
    ] as const) {
      edge.collector.before = async () => {
        throw new WeirError(code, "for a while");
      };
      const response = await edge.post({ data: [{ ...base, e: "pv" }] }, { authorization: "" }, path);
      expect(response.status).toBe(status);
    }
  });

  const names = [
    ...Object.keys(base),
    ...Object.keys(about),
    "e",
    "ttm",
    "ue_pr",
    "ue_px",
    "co",
    "cx",
    "se_ac",
    "tr_tt",
  ];
  const withJson = jsonWith(["schema", "data", "type", "revenue", "version"]).chain((value) =>
    fc.constantFrom<Record<string, unknown>>(
      { ...base, e: "ue", ue_px: base64(unstruct({ schema: started.schema, data: value })) },
      { ...base, e: "ue", ue_px: base64(value) },
      { ...base, e: "pv", cx: base64(contexts(entity("application", value))) },
      { ...base, e: "pv", co: JSON.stringify(value) ?? "" },
    ),
  );
  const kinds = fc
    .constantFrom("pv", "pp", "se", "tr", "ti")
    .map((e) => ({ ...base, ...about, e, se_ac: "a", tr_tt: "1.5" }));
  const event = fc.oneof(withJson, kinds).chain((one) => changed(one, names));
  const posted: fc.Arbitrary<Sent> = fc.record({
    path: fc.constant(path),
    headers: fc.constantFrom<Record<string, string>>({}, { authorization: "" }),
    body: bytesOf(
      fc
        .oneof(
          fc.array(event, { maxLength: 4 }).map((data) => ({ schema: "s", data })),
          event,
          jsonWith([...names, "data"]),
        )
        .map((value) => JSON.stringify(value)),
    ),
  });
  const asPixel: fc.Arbitrary<Sent> = fc
    .oneof(
      event.map((one) =>
        new URLSearchParams(
          Object.entries(one as object).map(([name, value]) => [
            name,
            typeof value === "string" ? value : JSON.stringify(value),
          ]),
        ).toString(),
      ),
      fc.webQueryParameters(),
    )
    .map((query) => ({ method: "GET" as const, path: `/i?${query}` }));
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("Snowplow", fc.oneof(posted, asPixel), (status) => status === 200, [400, 401, 422], [appId]);
    },
    fuzzMs,
  );
});

describe("@snowplow/node-tracker", () => {
  it.each(["post", "get"] as const)(
    "by %s, before a failing edge: every event is stored once",
    async (eventMethod) => {
      const scene = await openScene([appId]);
      const { host } = new URL(scene.url);
      const tracker = newTracker(
        { namespace: "t", appId, encodeBase64: eventMethod === "post" },
        { endpoint: host, protocol: "http", eventMethod, bufferSize: 1, credentials: "omit" },
      );
      tracker.setUserId("u1");
      scene.faults.push({ status: 503, headers: { "retry-after": "1" } }, "cut", { status: 429 });
      for (let n = 0; n < 4; n += 1) {
        tracker.track(buildPageView({ pageUrl: `https://shop.example/${n}`, pageTitle: "é" }));
        tracker.track(buildSelfDescribingEvent({ event: { schema: started.schema, data: { n } } }));
        tracker.track(buildStructEvent({ category: "shop", action: "add", value: n }));
      }
      await until("every event is stored", 20_000, async () => {
        await tracker.flush();
        return scene.stored().length === 12;
      });
      await tracker.flush();
      const seen = scene.stored().map(({ type, userId, identity }) => `${type} ${userId} ${identity}`);
      expect(seen.toSorted()).toEqual(
        ["add", "checkout_started", "page_view"].flatMap((type) => Array(4).fill(`${type} u1 event_id`)),
      );
      expect(scene.stored()).toHaveLength(12);
      expect(scene.refusals()).toEqual([]);
      await scene.close();
    },
  );
});
