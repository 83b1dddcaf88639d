// Segment's calls: what each becomes, what its paths answer, and what the real clients make of the answers.
import { Analytics } from "@segment/analytics-node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../../edge/keys.ts";
import { clientReader } from "../../../edge/proxies.ts";
import { flag } from "../../../shared/event/event.ts";
import { eventTimeOf } from "../../../shared/event/identity.ts";
import { WeirError } from "../../../shared/problem.ts";
import { until } from "../../support/until.ts";
import { bodiesOf, now, testEdge, writeKey } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";
import { openScene } from "./scene.ts";

const timestamp = new Date(now - 1000).toISOString();
const common = { messageId: "m-1", anonymousId: "a1", userId: "u1", timestamp };
const page = { path: "/", url: "https://shop.example/" };

async function sent(body: unknown, path = "/v1/batch") {
  const edge = await testEdge();
  const response = await edge.post(body, { "x-request-id": "r" }, path);
  return { response, batches: edge.collector.batches, events: edge.collector.batches.flatMap(bodiesOf) };
}

const textOf = (value: unknown): unknown => (typeof value === "object" ? JSON.stringify(value) : value);

describe("a call of Segment's becomes an event", () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      "track",
      { type: "track", event: "Order Completed", properties: { revenue: 9.5, currency: "eur" } },
      {
        type: "Order Completed",
        payload: { currency: "eur", revenue: 9.5 },
        revenue: "9.5",
        currency: "EUR",
      },
    ],
    [
      "page",
      { type: "page", name: "Home", category: "Shop", properties: { name: "Home", path: "/" } },
      { type: "page_view", payload: { category: "Shop", name: "Home", path: "/" }, metadata: {} },
    ],
    [
      "page whose name is another one than its property",
      { type: "page", name: "Home", properties: { name: "other" } },
      { type: "page_view", payload: { name: "other" }, metadata: { name: "Home" } },
    ],
    ["screen", { type: "screen", name: "Cart" }, { type: "screen_view", payload: { name: "Cart" } }],
    [
      "identify",
      { type: "identify", traits: { plan: "pro" } },
      { type: "identify", userId: "u1", anonymousId: "a1", payload: { plan: "pro" } },
    ],
    [
      "group",
      { type: "group", groupId: "acme", traits: { seats: 3 } },
      { type: "group", aggregateId: "acme", payload: { seats: 3 } },
    ],
    [
      "alias",
      { type: "alias", previousId: "p1" },
      { type: "alias", userId: "u1", anonymousId: "p1", metadata: { anonymousId: "a1" } },
    ],
    [
      "numbers for ids",
      { type: "track", event: "t", userId: 42, anonymousId: "" },
      { userId: "42", anonymousId: null },
    ],
    [
      "what has no place of its own",
      {
        type: "track",
        event: "t",
        integrations: { All: false },
        channel: "server",
        _metadata: { nodeVersion: "20" },
      },
      { metadata: { _metadata: { nodeVersion: "20" }, channel: "server", integrations: { All: false } } },
    ],
    [
      "what tells one try from another",
      {
        type: "track",
        event: "t",
        sentAt: timestamp,
        writeKey,
        _metadata: { retryCount: 3, failedInitializations: ["x"] },
      },
      { metadata: {}, clockOffsetMs: 1000 },
    ],
    [
      "an export's own times",
      {
        type: "track",
        event: "t",
        originalTimestamp: new Date(now - 5).toISOString(),
        receivedAt: timestamp,
        sentAt: timestamp,
      },
      { clientTime: now - 5, metadata: {}, clockOffsetMs: null },
    ],
  ])("%s", async (_, value, expected) => {
    const { response, events } = await sent({ batch: [{ ...common, ...value }] });
    expect([response.status, await response.json()]).toEqual([200, { success: true }]);
    const texts = Object.entries(expected).map(([name, member]) => [
      name,
      member === null ? null : textOf(member),
    ]);
    expect(events).toMatchObject([
      { eventId: "m-1", identity: "event_id", clientTime: now - 1000, ...Object.fromEntries(texts) },
    ]);
  });

  it("with its context, where Segment's objects give ours their plain members", async () => {
    const context = {
      app: { version: "1.2", name: "Shop" },
      device: { type: "ios", model: "x" },
      location: { country: "DE", city: "Köln" },
      page,
    };
    const { events } = await sent({ batch: [{ ...common, type: "track", event: "t", context }] });
    expect(JSON.parse((events[0] as { context: string }).context)).toMatchObject({
      app: { version: "1.2", name: "Shop" },
      app_version: "1.2",
      device: "ios",
      device_details: { type: "ios", model: "x" },
      source_type: "track",
      page,
    });
    expect(events).toMatchObject([{ appVersion: "1.2" }]);
  });

  it("with what its batch says for all", async () => {
    const { events } = await sent({
      batch: [{ ...common, type: "track", event: "t", context: { a: 1 } }],
      context: { a: 2, b: 2 },
      integrations: { All: true },
      sentAt: new Date(now - 70).toISOString(),
    });
    expect(events).toMatchObject([{ clockOffsetMs: 70, metadata: '{"integrations":{"All":true}}' }]);
    expect(JSON.parse((events[0] as { context: string }).context)).toMatchObject({ a: 1, b: 2 });
  });

  const paths = [
    ["track", "t", { event: "x" }, "x"],
    ["page", "p", {}, "page_view"],
    ["screen", "s", {}, "screen_view"],
    ["identify", "i", {}, "identify"],
    ["group", "g", { groupId: "g" }, "group"],
    ["alias", "a", { previousId: "p" }, "alias"],
  ] as const;
  it.each(
    paths.flatMap(([kind, short, value, type]) =>
      [`/v1/${kind}`, `/v1/${short}`, `/${short}`].map((path) => [path, value, type] as const),
    ),
  )("by the path %s", async (path, value, type) => {
    const { response, events } = await sent({ ...common, ...value }, path);
    expect(response.status).toBe(200);
    expect(events).toMatchObject([{ type, eventId: "m-1" }]);
  });

  it.each(["/v1/batch", "/v1/import", "/v1/b", "/b"])(
    "in a batch at %s, its key in the body",
    async (path) => {
      const edge = await testEdge();
      const batch = [
        { ...common, type: "page" },
        { ...common, messageId: "m-2", type: "track", event: "t" },
      ];
      const response = await edge.post(
        { batch, writeKey },
        { authorization: "", "content-type": "text/plain" },
        path,
      );
      expect(response.status).toBe(200);
      expect(edge.collector.batches.flatMap(bodiesOf)).toMatchObject([{ type: "page_view" }, { type: "t" }]);
    },
  );

  it("of any age, where the key may", async () => {
    const edge = await testEdge();
    const old = { ...common, type: "track", event: "t", timestamp: "2015-01-01T00:00:00Z" };
    await edge.post({ batch: [old] }, { authorization: `Basic ${btoa("wk_old:")}` }, "/v1/import");
    await edge.post({ batch: [{ ...old, messageId: "m-2" }] }, {}, "/v1/import");
    const [free, bound] = edge.collector.batches;
    expect([free!.refusals, free!.flags[0]]).toEqual([[], flag.historical]);
    expect(eventTimeOf(free!.ids)).toBe(Date.UTC(2015, 0));
    expect(bound!.refusals).toMatchObject([{ code: "time_too_old", pointer: "/timestamp" }]);
  });

  it("which is the same one where a browser fills in a user it learned of later", async () => {
    const edge = await testEdge();
    const first = { ...common, type: "track", event: "t", userId: null };
    await edge.post({ batch: [first] }, {}, "/b");
    await edge.post({ batch: [{ ...first, userId: "u9", _metadata: { retryCount: 2 } }] }, {}, "/b");
    await edge.post({ batch: [{ ...first, properties: { other: 1 } }] }, {}, "/b");
    const [one, two, three] = edge.collector.batches;
    expect(two!.hashes).toEqual(one!.hashes);
    expect(two!.fingerprints).toEqual(one!.fingerprints);
    expect(three!.fingerprints).not.toEqual(one!.fingerprints);
  });
});

describe("bad input in Segment's words", () => {
  const track = { ...common, type: "track", event: "t" };
  it.each<[string, unknown, string, string]>([
    ["no kind", { ...common, event: "t" }, "missing_field", "/type"],
    ["another kind", { ...track, type: "charge" }, "invalid_value", "/type"],
    ["a kind that is no text", { ...track, type: 7 }, "invalid_type", "/type"],
    ["no name", { ...track, event: undefined }, "missing_field", "/event"],
    ["a name that is an object", { ...track, event: {} }, "invalid_type", "/event"],
    ["properties that are a list", { ...track, properties: [] }, "invalid_type", "/properties"],
    ["traits that are text", { ...common, type: "identify", traits: "x" }, "invalid_type", "/traits"],
    ["a context that is text", { ...track, context: "x" }, "invalid_type", "/context"],
    ["metadata that is a number", { ...track, _metadata: 1 }, "invalid_type", "/_metadata"],
    ["a user that is an object", { ...track, userId: {} }, "invalid_type", "/userId"],
    ["a user too long", { ...track, userId: "x".repeat(257) }, "invalid_value", "/userId"],
    [
      "a previous id that is a list",
      { ...common, type: "alias", previousId: [1] },
      "invalid_type",
      "/previousId",
    ],
    ["a group that is a truth", { ...common, type: "group", groupId: true }, "invalid_type", "/groupId"],
    ["an id that is an object", { ...track, messageId: {} }, "invalid_type", "/messageId"],
    [
      "a local time",
      { ...track, timestamp: "2026-11-20T12:00:00" },
      "timestamp_without_offset",
      "/timestamp",
    ],
    [
      "a time that is none",
      { ...track, originalTimestamp: "soon" },
      "timestamp_invalid",
      "/originalTimestamp",
    ],
    ["an old time", { ...track, timestamp: "2015-01-01T00:00:00Z" }, "time_too_old", "/timestamp"],
    [
      "money that is none",
      { ...track, properties: { revenue: "free" } },
      "invalid_value",
      "/properties/revenue",
    ],
    [
      "money among traits",
      { ...common, type: "group", traits: { revenue: [] } },
      "invalid_type",
      "/traits/revenue",
    ],
    ["too much", { ...track, properties: { text: "x".repeat(65_536) } }, "event_too_large", ""],
    ["no object", 7, "invalid_type", ""],
    ["nothing", null, "invalid_type", ""],
  ])("%s is kept, and its neighbour is stored", async (_, bad, code, pointer) => {
    const { response, batches, events } = await sent({ batch: [bad, { ...track, messageId: "m-2" }] });
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([{ index: 0, code, pointer }]);
    expect(events[1]).toMatchObject({ eventId: "m-2" });
  });

  it("a number that a double cannot hold, a text no table can, and a hundred levels", async () => {
    const deep = `${'{"a":'.repeat(100)}1${"}".repeat(100)}`;
    const texts = [
      `{"type":"track","event":"t","messageId":"1","properties":{"n":12345678901234567890}}`,
      `{"type":"track","event":"t","messageId":"2","properties":{"n":"\\u0000\\ud800"}}`,
      `{"type":"track","event":"t","messageId":"3","properties":${deep}}`,
      `{"type":"track","event":"t","messageId":"4","__proto__":{"type":"page"}}`,
    ];
    const { response, batches, events } = await sent(`{"batch":[${texts.join(",")}]}`);
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([
      { index: 0, code: "number_not_representable" },
      { index: 2, code: "nesting_too_deep" },
    ]);
    expect(events[1]).toMatchObject({ payload: '{"n":"\ufffd\ufffd"}' });
    expect(events[3]).toMatchObject({ type: "t", metadata: '{"__proto__":{"type":"page"}}' });
  });

  it.each<[string, unknown, number, string]>([
    ["half a JSON", '{"batch":[', 400, "body_malformed"],
    ["no JSON", "hello", 400, "body_malformed"],
    ["no UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), 400, "body_malformed"],
    ["a number", "7", 400, "body_malformed"],
    ["a batch that is no list", { batch: {} }, 400, "body_malformed"],
    ["an empty batch", { batch: [] }, 400, "body_malformed"],
    ["too many", { batch: Array(2501).fill({}) }, 413, "too_many_events"],
    ["too much", { batch: ["x".repeat(1024 * 1024)] }, 413, "body_too_large"],
    ["broken gzip", new Uint8Array([0x1f, 0x8b, 1, 2, 3]), 400, "body_malformed"],
  ])("%s is refused as a whole", async (_, body, status, code) => {
    const { response, batches } = await sent(body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(batches).toEqual([]);
  });

  it("a key is not called unknown while nobody can be asked", async () => {
    const keys = { ...fixedKeys([]), renew: async () => false };
    const edge = await testEdge({ keys });
    for (const path of ["/v1/batch", "/v1/t", "/e/", "/v1/events"]) {
      expect((await edge.post({ batch: [common] }, {}, path)).status).toBe(503);
    }
  });

  it("a key that nobody knows is final, and a log that is away is not", async () => {
    const edge = await testEdge();
    const unknown = await edge.post({ batch: [common], writeKey: "no" }, { authorization: "" }, "/v1/batch");
    expect(unknown.status).toBe(401);
    edge.collector.before = async () => {
      throw new WeirError("log_unavailable", "The log is down.", { retryAfterMs: 2000 });
    };
    const away = await edge.post({ batch: [common] }, {}, "/v1/batch");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "2"]);
  });

  const members = [
    ...[
      "type",
      "messageId",
      "userId",
      "anonymousId",
      "timestamp",
      "originalTimestamp",
      "sentAt",
      "receivedAt",
    ],
    ...[
      "event",
      "name",
      "category",
      "properties",
      "traits",
      "context",
      "integrations",
      "_metadata",
      "groupId",
    ],
    ...[
      "previousId",
      "writeKey",
      "batch",
      "app",
      "device",
      "location",
      "version",
      "country",
      "revenue",
      "currency",
    ],
  ];
  const call = fc.oneof(
    changed(
      {
        ...common,
        type: "track",
        event: "t",
        properties: { revenue: 1 },
        context: { app: { version: "1" } },
      },
      members,
    ),
    changed({ ...common, type: "page", name: "Home", _metadata: { a: 1 } }, members),
    changed({ ...common, type: "identify", traits: {} }, members),
    changed({ ...common, previousId: "p" }, members),
    jsonWith(members),
  );
  const body = fc.oneof(
    call,
    fc.record({ batch: fc.array(call, { minLength: 1, maxLength: 4 }), sentAt: jsonWith(members) }),
    fc.record({
      batch: fc.array(call, { maxLength: 3 }),
      context: jsonWith(members),
      integrations: jsonWith(members),
    }),
    jsonWith(members),
  );
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constantFrom("/v1/batch", "/v1/import", "/v1/t", "/p", "/i", "/v1/screen", "/g", "/v1/alias"),
    body: bytesOf(body.map((value) => JSON.stringify(value) ?? "")),
    headers: fc.constantFrom<Record<string, string>>({}, { "content-type": "text/plain" }),
  });
  it(
    "of any kind has an outcome",
    () => fuzz("Segment", request, (status) => status === 200, [400, 401, 413]),
    fuzzMs,
  );
});

describe("the settings a browser asks its CDN for", () => {
  const ask = async (url: string, client: Record<string, unknown> = {}) => {
    const edge = await testEdge();
    const response = await edge.app.request(url, { headers: { origin: "https://shop.example" } }, {
      client,
    } as never);
    return { response, settings: (await response.json()) as { integrations: Record<string, unknown> } };
  };

  it.each<[string, Record<string, unknown>, string, string]>([
    ["http://127.0.0.1:8787", {}, "127.0.0.1:8787/v1", "http"],
    ["https://events.shop.example", {}, "events.shop.example/v1", "https"],
    ["http://events.shop.example", { protocol: "https" }, "events.shop.example/v1", "https"],
  ])("name the edge itself, asked at %s with %j", async (base, client, apiHost, protocol) => {
    const { response, settings } = await ask(`${base}/v1/projects/wk_1/settings`, client);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(settings).toMatchObject({
      integrations: { "Segment.io": { apiKey: "wk_1", apiHost, protocol } },
      metrics: { sampleRate: 0 },
      plan: { track: { __default: { enabled: true } } },
    });
  });

  it.each([
    ["", "https", undefined],
    ["1", "https", "https"],
    ["1", "http, https", "https"],
    ["2", "https, http", "https"],
    ["10.0.0.0/8", "https", undefined],
    ["203.0.113.0/24", "HTTPS", "https"],
    ["1", "gopher", undefined],
  ])("learn the protocol of proxies that are trusted: %j, %s", (trusted, told, protocol) => {
    const read = clientReader(trusted);
    expect(read(new Headers({ "x-forwarded-proto": told }), "203.0.113.7").protocol).toBe(protocol);
  });

  it("are not made for what can be no key, and nobody's word is taken for the protocol", async () => {
    expect((await ask(`http://e/v1/projects/${"x".repeat(300)}/settings`)).response.status).toBe(404);
    const edge = await testEdge();
    const told = await edge.app.request("http://e/v1/projects/k/settings", {
      headers: { "x-forwarded-proto": "https" },
    });
    expect(await told.text()).toContain('"protocol":"http"');
  });
});

describe("@segment/analytics-node", () => {
  const calls = (analytics: Analytics): string[] => {
    const ids: string[] = [];
    const named = (at: number) => {
      ids.push(`node-${at}`);
      return { messageId: `node-${at}`, anonymousId: "anon-1" };
    };
    analytics.page({ ...named(0), name: "Home", properties: { path: "/" } });
    analytics.identify({ ...named(1), userId: "ada", traits: { plan: "pro" } });
    analytics.alias({ messageId: "node-2", previousId: "anon-1", userId: "ada" });
    ids.push("node-2");
    analytics.group({ ...named(3), userId: "ada", groupId: "acme", traits: { seats: 3 } });
    analytics.screen({ ...named(4), userId: "ada", name: "Cart" });
    for (let at = 5; at < 12; at += 1) {
      analytics.track({
        ...named(at),
        userId: "ada",
        event: "bought",
        properties: { revenue: 1.5, currency: "EUR" },
      });
    }
    return ids;
  };

  it.each<[string, Parameters<typeof Array.of>]>([
    ["at once", []],
    [
      "through 503, a lost answer and 429",
      [{ status: 503 }, "cut", { status: 429, headers: { "retry-after": "1" } }],
    ],
  ])(
    "delivers every event once, %s",
    async (_, faults) => {
      const scene = await openScene();
      scene.faults.push(...(faults as typeof scene.faults));
      const lost: unknown[] = [];
      const analytics = new Analytics({
        writeKey: scene.writeKey,
        host: scene.url,
        flushAt: 20,
        maxRetries: 10,
      });
      analytics.on("error", (error) => lost.push(error));
      const ids = calls(analytics);
      await analytics.closeAndFlush({ timeout: 25_000 });
      await until("every event is stored", 10_000, () => scene.stored().length === ids.length);
      expect(scene.stored().map(({ eventId }) => eventId)).toEqual(ids);
      expect(scene.refusals()).toEqual([]);
      expect(lost).toEqual([]);
      expect(scene.requests.map(({ status }) => status)).toEqual(
        faults.length === 0 ? [200] : [503, 0, 429, 200],
      );
      expect(scene.stored().map(({ type }) => type)).toEqual([
        ...["page_view", "identify", "alias", "group", "screen_view"],
        ...Array(7).fill("bought"),
      ]);
      expect(scene.stored()[2]).toMatchObject({ userId: "ada", anonymousId: "anon-1" });
      expect(scene.stored()[5]).toMatchObject({ revenue: "1.5", currency: "EUR" });
      await scene.close();
    },
    60_000,
  );
});
