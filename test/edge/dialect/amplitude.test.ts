// Amplitude's events: what they become, and answers in the words its clients go by.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WeirError } from "../../../shared/problem.ts";
import { bodiesOf, now, testEdge, writeKey } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";

const path = "/2/httpapi";
const event = {
  event_type: "bought",
  insert_id: "i-1",
  event_id: 7,
  time: now - 1000,
  user_id: "u1",
  device_id: "d1",
  session_id: now - 5000,
  app_version: "1.2",
  language: "de",
  event_properties: { sku: "a" },
};

async function sent(events: unknown, beside: object = { api_key: writeKey }) {
  const edge = await testEdge();
  const response = await edge.post({ ...beside, events }, { authorization: "", "x-request-id": "r" }, path);
  const answer = (await response.json()) as Record<string, unknown>;
  return {
    edge,
    response,
    answer,
    events: edge.collector.batches.flatMap(bodiesOf),
    batches: edge.collector.batches,
  };
}

describe("an event of Amplitude's", () => {
  it("has its ids, times and the rest in their places", async () => {
    const { answer, events } = await sent([event]);
    expect(answer).toMatchObject({ code: 200, events_ingested: 1, server_upload_time: now });
    expect(events).toMatchObject([
      {
        identity: "event_id",
        eventId: "i-1",
        type: "bought",
        userId: "u1",
        anonymousId: "d1",
        sessionId: String(now - 5000),
        clientTime: now - 1000,
        appVersion: "1.2",
        payload: '{"sku":"a"}',
      },
    ]);
    expect(JSON.parse((events[0] as { context: string }).context)).toEqual({
      app_version: "1.2",
      event_id: 7,
      language: "de",
      request_id: "r",
      source_type: "bought",
    });
  });

  it.each<[string, object, object, object]>([
    ["a page view", { event_type: "[Amplitude] Page Viewed" }, { type: "page_view" }, { sku: "a" }],
    [
      "an identify",
      { event_type: "$identify", user_properties: { $set: { plan: "pro" }, $add: { n: 1 } } },
      { type: "identify" },
      { plan: "pro", $add: { n: 1 } },
    ],
    [
      "a group",
      { event_type: "$groupidentify", groups: { team: "t" }, group_properties: { $set: { size: 3 } } },
      { type: "group" },
      { size: 3 },
    ],
    ["money beside it", { revenue: 9.5 }, { revenue: "9.5" }, { sku: "a", revenue: 9.5 }],
    [
      "a price times a quantity",
      { event_type: "revenue_amount", event_properties: { $price: 9.99, $quantity: 3, $productId: "p" } },
      { revenue: "29.97", type: "revenue_amount" },
      { $price: 9.99, $quantity: 3, $productId: "p", revenue: 29.97 },
    ],
    ["no session", { session_id: -1 }, { sessionId: null }, { sku: "a" }],
  ])("that is %s", async (_, change, stored, payload) => {
    const { events } = await sent([{ ...event, ...change }]);
    expect(events).toMatchObject([stored]);
    expect(JSON.parse((events[0] as { payload: string }).payload)).toEqual(payload);
  });
});

describe("bad input", () => {
  it.each<[string, object, string, string]>([
    ["no type", { event_type: undefined }, "missing_field", "/event_type"],
    ["properties that are no object", { event_properties: [1] }, "invalid_type", "/event_properties"],
    ["a time ahead", { time: now + 9e6 }, "time_ahead", "/time"],
    ["an id that is none", { insert_id: {} }, "invalid_type", "/insert_id"],
    ["money that is none", { revenue: "much" }, "invalid_value", "/revenue"],
    ["endless properties", { event_properties: { a: "x".repeat(70_000) } }, "event_too_large", ""],
  ])("%s is quarantined whole, and the rest is taken", async (_, change, code, pointer) => {
    const bad = { ...event, ...change };
    const { answer, events, batches } = await sent([event, bad]);
    expect(answer).toMatchObject({ code: 200, events_ingested: 2 });
    expect(batches[0]!.refusals).toMatchObject([{ index: 1, code, pointer }]);
    expect(JSON.parse(events[1] as string)).toEqual(JSON.parse(JSON.stringify(bad)));
  });

  it.each<[string, unknown, object, object]>([
    ["no events", undefined, { api_key: writeKey }, { code: 400, missing_field: "body_malformed" }],
    ["an unknown key", [event], { api_key: "no" }, { code: 400, missing_field: "unknown_write_key" }],
    ["too many", Array(2501).fill(event), { api_key: writeKey }, { code: 413 }],
  ])("%s is refused so that the client tries it no more, or in parts", async (_, events, beside, told) => {
    const { response, answer } = await sent(events, beside);
    expect([response.status, answer]).toMatchObject([answer["code"], told]);
  });

  it("is never what a fault of ours is answered as", async () => {
    const { edge } = await sent([event]);
    for (const code of ["log_unavailable", "rate_limited"] as const) {
      edge.collector.before = async () => {
        throw new WeirError(code, "for a while");
      };
      const response = await edge.post({ api_key: writeKey, events: [event] }, { authorization: "" }, path);
      expect([response.status, await response.json()]).toEqual([503, { code: 503, error: "for a while" }]);
    }
  });

  const names = [
    ...Object.keys(event),
    "revenue",
    "user_properties",
    "group_properties",
    "$set",
    "price",
    "quantity",
    "events",
    "api_key",
  ];
  const one = changed({ ...event, revenue: 1, user_properties: { $set: { a: 1 } } }, names);
  const kinds = fc.constantFrom("bought", "$identify", "$groupidentify");
  const typed = fc.tuple(one, kinds).map(([value, event_type]) => ({ ...(value as object), event_type }));
  const json = fc.oneof(
    fc.array(fc.oneof(one, typed), { maxLength: 3 }).map((events) => ({ api_key: writeKey, events })),
    jsonWith(names),
  );
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constant(path),
    body: bytesOf(json.map((value) => JSON.stringify(value))),
  });
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("Amplitude", request, (status) => status === 200, [400, 413]);
    },
    fuzzMs,
  );
});
