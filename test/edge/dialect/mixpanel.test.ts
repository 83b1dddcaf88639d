// Mixpanel's events and profiles, in all the forms its clients send them.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WeirError } from "../../../shared/problem.ts";
import { bodiesOf, now, testEdge, writeKey } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";

const properties = {
  token: writeKey,
  time: (now - 1500) / 1000,
  distinct_id: "$device:d1",
  $device_id: "d1",
  $insert_id: "i-1",
  $browser: "Chrome",
  mp_lib: "web",
  sku: "a",
  revenue: 2.5,
};
const event = { event: "bought", properties };
const of = (change: object, name = "bought") => ({ event: name, properties: { ...properties, ...change } });
const json = (value: unknown): string => JSON.stringify(value);
const base64 = (value: unknown): string => Buffer.from(json(value)).toString("base64");
const form = (data: string): string => `data=${encodeURIComponent(data)}`;

async function sent(body: string, path = "/track/?verbose=1&ip=1") {
  const edge = await testEdge();
  const headers = {
    authorization: "",
    "content-type": "application/x-www-form-urlencoded",
    "x-request-id": "r",
  };
  const response = await edge.post(body, { ...headers, origin: "https://shop.example" }, path);
  return {
    edge,
    response,
    events: edge.collector.batches.flatMap(bodiesOf),
    batches: edge.collector.batches,
  };
}

describe("an event of Mixpanel's", () => {
  it.each<[string, string]>([
    ["a form of base64", form(base64([event]))],
    ["a form of base64 that nobody escaped", `data=${base64([event])}`],
    ["a form of JSON", form(json(event))],
    ["JSON", json([event])],
  ])("comes as %s", async (_, body) => {
    const { response, events } = await sent(body);
    expect([response.status, await response.json()]).toEqual([200, { status: 1, error: null }]);
    expect(response.headers.get("access-control-allow-credentials")).toBe("true");
    expect(events).toMatchObject([
      {
        identity: "event_id",
        eventId: "i-1",
        type: "bought",
        userId: null,
        anonymousId: "d1",
        clientTime: now - 1500,
        revenue: "2.5",
        payload: '{"revenue":2.5,"sku":"a"}',
        context: '{"$browser":"Chrome","mp_lib":"web","source_type":"bought","request_id":"r"}',
      },
    ]);
  });

  it("comes as a pixel, and is told in one letter", async () => {
    const edge = await testEdge();
    const response = await edge.app.request(`/track/?${form(base64(event))}`);
    expect([response.status, await response.text()]).toEqual([200, "1"]);
    expect(edge.collector.batches.flatMap(bodiesOf)).toMatchObject([{ eventId: "i-1" }]);
  });

  it.each<[string, unknown, object, object]>([
    [
      "a page view",
      of({ $current_url: "https://shop.example/", current_page_title: "Shop" }, "$mp_web_page_view"),
      { type: "page_view" },
      { url: "https://shop.example/", title: "Shop" },
    ],
    ["a known user's", of({ distinct_id: "u1", $user_id: "u1" }), { userId: "u1", anonymousId: "d1" }, {}],
    [
      "an older client's",
      of({ distinct_id: "u1", $device_id: undefined }),
      { userId: "u1", anonymousId: null },
      {},
    ],
    [
      "an identify",
      of({ distinct_id: "u1", $anon_distinct_id: "$device:d1" }, "$identify"),
      { type: "identify", userId: "u1", anonymousId: "d1" },
      {},
    ],
    [
      "an alias",
      of({ distinct_id: "$device:d1", alias: "u1" }, "$create_alias"),
      { type: "alias", userId: "u1", anonymousId: "d1" },
      {},
    ],
    [
      "a profile",
      { $token: writeKey, $distinct_id: "u1", $device_id: "d1", $set: { plan: "pro" }, $add: { n: 1 } },
      { type: "identify", identity: "arrival", userId: "u1", anonymousId: "d1" },
      { plan: "pro", $add: { n: 1 } },
    ],
    [
      "a group",
      { $token: writeKey, $group_key: "team", $group_id: 7, $set: { size: 3 } },
      { type: "group", aggregateId: "7" },
      { size: 3 },
    ],
  ])("that is %s", async (_, body, stored, payload) => {
    const { events } = await sent(json(body), "/engage/?verbose=1");
    expect(events).toMatchObject([stored]);
    expect(JSON.parse((events[0] as { payload: string }).payload)).toMatchObject(payload);
  });
});

describe("bad input", () => {
  it.each<[string, unknown, string, string]>([
    [
      "properties that are none",
      { event: "a", properties: [1], token: writeKey },
      "invalid_type",
      "/properties",
    ],
    ["a name that is none", { event: 7, properties }, "invalid_type", "/event"],
    ["a time that is none", of({ time: "soon" }), "timestamp_invalid", "/properties/time"],
    ["money that is none", of({ revenue: "much" }), "invalid_value", "/properties/revenue"],
    ["neither an event nor a change", { $token: writeKey }, "missing_field", "/event"],
    ["a change that is none", { $token: writeKey, $distinct_id: "u", $set: 1 }, "invalid_type", "/$set"],
    ["endless properties", of({ a: "x".repeat(70_000) }), "event_too_large", ""],
  ])("%s is quarantined whole", async (_, bad, code, pointer) => {
    const { response, events, batches } = await sent(form(base64(bad)));
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([{ code, pointer }]);
    expect(events).toEqual([json(bad)]);
  });

  it.each<[string, string, number, string]>([
    ["no data", "nothing=1", 400, "body_malformed"],
    ["data that is no base64", "data=***", 400, "body_malformed"],
    ["data that is no text", `data=${encodeURIComponent("/////w==")}`, 400, "body_malformed"],
    ["an unknown token", json(of({ token: "no" })), 401, "unknown_write_key"],
    ["two tokens", json([event, of({ token: "b" })]), 400, "body_malformed"],
    ["too many", json(Array(2501).fill(event)), 413, "too_many_events"],
  ])("%s is refused whole", async (_, body, status, code) => {
    const { response } = await sent(body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it("is never what a fault of ours is answered as", async () => {
    const { edge } = await sent(json(event));
    for (const [code, status] of [
      ["log_unavailable", 503],
      ["rate_limited", 429],
      ["internal", 500],
    ] as const) {
      edge.collector.before = async () => {
        throw new WeirError(code, "for a while");
      };
      expect((await edge.post(json(event), { authorization: "" }, "/track/")).status).toBe(status);
    }
  });

  const names = [
    ...Object.keys(properties),
    "event",
    "properties",
    "$token",
    "$distinct_id",
    "$group_id",
    "$set",
    "alias",
    "$time",
  ];
  const tracked = fc
    .tuple(
      changed(properties, names),
      fc.constantFrom("bought", "$identify", "$create_alias", "$mp_web_page_view"),
    )
    .chain(([said, name]) => changed({ event: name, properties: said }, names));
  const profile = changed({ $token: writeKey, $distinct_id: "u1", $device_id: "d", $set: { a: 1 } }, names);
  const one = fc.oneof(tracked, profile);
  const value = fc.oneof(one, fc.array(one, { maxLength: 3 }), jsonWith(names));
  const body = value.chain((some) => {
    const text = json(some) ?? "";
    return fc.constantFrom(text, form(text), form(Buffer.from(text).toString("base64")));
  });
  const path = fc.constantFrom("/track/", "/track", "/engage/?verbose=1", "/groups/");
  const posted: fc.Arbitrary<Sent> = fc.record({
    path,
    headers: fc.constantFrom<Record<string, string>>({}, { authorization: "" }),
    body: bytesOf(body),
  });
  const asPixel = fc.oneof(body, fc.webQueryParameters()).map(
    (query): Sent => ({
      method: "GET",
      path: `/track/?${query.startsWith("data=") ? query : form(query)}`,
    }),
  );
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("Mixpanel", fc.oneof(posted, asPixel), (status) => status === 200, [400, 401, 413]);
    },
    fuzzMs,
  );
});
