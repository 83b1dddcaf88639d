// Umami's events: what they become, and what its node client makes of the answers.
import { Umami } from "@umami/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../../edge/keys.ts";
import { aliasText } from "../../../shared/event/write-key.ts";
import { bodiesOf, keyOf, now, testEdge } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";
import { openScene } from "./scene.ts";

const website = "5b6bbd14-8ae6-4c1c-9f2b-0a3f6e3d9a11";
const page = { url: "/a?b=1", title: "Shop", referrer: "https://a.example/" };
const view = {
  type: "event",
  payload: { website, hostname: "shop.example", language: "de", screen: "8x6", ...page },
};
const withPayload = (change: object, type = "event") => ({ type, payload: { ...view.payload, ...change } });

async function sent(body: unknown, path = "/api/send") {
  const edge = await testEdge({ keys: fixedKeys([await keyOf(aliasText(website))]) });
  const response = await edge.post(body, { authorization: "", "x-request-id": "r" }, path);
  return { response, events: edge.collector.batches.flatMap(bodiesOf), batches: edge.collector.batches };
}

const about = { website, hostname: "shop.example", language: "de", screen: "8x6", request_id: "r" };

describe("an event of Umami's", () => {
  it.each<[string, unknown, object, unknown, unknown]>([
    [
      "a page view",
      view,
      { type: "page_view", identity: "arrival" },
      page,
      { ...about, source_type: "pageview" },
    ],
    [
      "a named event",
      withPayload({ name: "bought", data: { revenue: 9.5, currency: "eur" }, tag: "b" }),
      { type: "bought", revenue: "9.5", currency: "EUR" },
      { revenue: 9.5, currency: "eur" },
      { ...about, tag: "b", page, source_type: "event" },
    ],
    [
      "an identify",
      withPayload({ id: "u1", data: { plan: "pro" } }, "identify"),
      { type: "identify", userId: "u1" },
      { plan: "pro" },
      { ...about, page, source_type: "identify" },
    ],
    [
      "a measure of the page",
      withPayload({ lcp: 1.5, cls: 0 }, "performance"),
      { type: "performance" },
      { lcp: 1.5, cls: 0 },
      { ...about, page, source_type: "performance" },
    ],
    [
      "one with a time",
      withPayload({ timestamp: (now - 1500) / 1000 }),
      { type: "page_view", identity: "content", clientTime: now - 1500 },
      page,
      { ...about, source_type: "pageview" },
    ],
  ])("that is %s", async (_, body, stored, payload, context) => {
    const { response, events, batches } = await sent(body);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      cache: "",
      sessionId: expect.any(String),
      visitId: expect.any(String),
    });
    expect(batches[0]!.project).toBe("shop");
    expect(events).toMatchObject([stored]);
    const said = events[0] as { payload: string; context: string };
    expect([JSON.parse(said.payload), JSON.parse(said.context)]).toEqual([payload, context]);
  });

  it("comes with others in a batch", async () => {
    const { response, events } = await sent(
      [view, withPayload({ name: "a" }), { type: "nothing", payload: { website } }],
      "/api/batch",
    );
    expect(await response.json()).toEqual({ size: 3, processed: 2, errors: 1, details: [] });
    expect(events).toMatchObject([{ type: "page_view" }, { type: "a" }, expect.any(String)]);
  });
});

describe("bad input", () => {
  it.each<[string, object, string, string]>([
    ["an unknown kind", withPayload({}, "click"), "invalid_value", "/type"],
    ["data that is no object", withPayload({ data: [1] }), "invalid_type", "/payload/data"],
    ["a name that is none", withPayload({ name: 7 }), "invalid_type", "/payload/name"],
    ["a time that is none", withPayload({ timestamp: "soon" }), "timestamp_invalid", "/payload/timestamp"],
    [
      "money that is none",
      withPayload({ name: "a", data: { revenue: "much" } }),
      "invalid_value",
      "/payload/data/revenue",
    ],
    ["endless data", withPayload({ data: { a: "x".repeat(70_000) } }), "event_too_large", ""],
  ])("%s is quarantined whole", async (_, bad, code, pointer) => {
    const { response, events, batches } = await sent(bad);
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([{ code, pointer }]);
    expect(events).toEqual([JSON.stringify(bad)]);
  });

  it.each<[string, string, number, string]>([
    ["no JSON", "{", 400, "body_malformed"],
    ["no payload", '{"type":"event"}', 401, "unknown_write_key"],
    ["an unknown website", JSON.stringify(withPayload({ website: "no" })), 401, "unknown_write_key"],
    ["a huge body", JSON.stringify(withPayload({ title: "x".repeat(1 << 20) })), 413, "body_too_large"],
  ])("%s is refused whole", async (_, body, status, code) => {
    const { response } = await sent(body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  const names = ["type", "payload", "website", "name", "data", "id", "timestamp", "url", "lcp", "revenue"];
  const event = fc
    .tuple(
      changed({ ...view.payload, name: "n", data: { a: 1 } }, names),
      fc.constantFrom("event", "identify", "performance", "x"),
    )
    .chain(([payload, type]) => changed({ type, payload }, names));
  const json = fc.oneof(event, fc.array(event, { maxLength: 3 }), jsonWith(names));
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constantFrom("/api/send", "/api/batch"),
    headers: fc.constantFrom<Record<string, string>>({}, { authorization: "" }),
    body: bytesOf(json.map((value) => JSON.stringify(value))),
  });
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("Umami", request, (status) => status === 200, [400, 401, 413], [website]);
    },
    fuzzMs,
  );
});

describe("@umami/node", () => {
  it("tracks, identifies, and is told what is not safe", async () => {
    const scene = await openScene([website]);
    const client = new Umami({ websiteId: website, hostUrl: scene.url });
    await client.track({ ...page, hostname: "shop.example" });
    for (let n = 0; n < 5; n += 1) await client.track("act", { n });
    await client.identify({ plan: "pro" });
    scene.faults.push({ status: 503 });
    expect((await client.track("act", { n: 5 })).status).toBe(503);
    const answer = await client.track("act", { n: 5 });
    expect(Object.keys((await answer.json()) as object)).toEqual(["cache", "sessionId", "visitId"]);
    expect(scene.stored().map(({ type, payload }) => `${type} ${payload}`)).toEqual([
      `page_view ${JSON.stringify({ referrer: page.referrer, title: page.title, url: page.url })}`,
      ...[0, 1, 2, 3, 4].map((n) => `act {"n":${n}}`),
      'identify {"plan":"pro"}',
      'act {"n":5}',
    ]);
    expect(scene.refusals()).toEqual([]);
    await scene.close();
  });
});
