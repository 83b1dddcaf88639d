// PostHog's events: what each becomes, in which forms they come, and what the real client makes of the answers.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { PostHog } from "posthog-node";
import { describe, expect, it } from "vitest";
import { flag } from "../../../shared/event/event.ts";
import { eventTimeOf } from "../../../shared/event/identity.ts";
import { WeirError } from "../../../shared/problem.ts";
import { until } from "../../support/until.ts";
import { bodiesOf, now, testEdge, writeKey } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";
import { openScene } from "./scene.ts";

const timestamp = new Date(now - 1000).toISOString();
const visitor = { distinct_id: "v1", $device_id: "v1", $is_identified: false };
const known = { distinct_id: "ada", $device_id: "v1", $user_id: "ada", $is_identified: true };
const event = { uuid: "p-1", event: "bought", timestamp, properties: { ...known, token: writeKey } };
const withoutKey = { authorization: "" };

async function sent(body: unknown, path = "/batch/", headers: Record<string, string> = {}) {
  const edge = await testEdge();
  const response = await edge.post(body, { "x-request-id": "r", ...headers }, path);
  return { response, batches: edge.collector.batches, events: edge.collector.batches.flatMap(bodiesOf) };
}

const one = async (value: Record<string, unknown>) => {
  const { response, events } = await sent({ batch: [{ uuid: "p-1", timestamp, ...value }] });
  expect([response.status, await response.json()]).toEqual([200, { status: "Ok" }]);
  const { context, payload, metadata, ...fields } = events[0] as unknown as Record<string, string>;
  const { request_id: _, ...rest } = JSON.parse(context!);
  return { ...fields, context: rest, payload: JSON.parse(payload!), metadata: JSON.parse(metadata!) };
};

describe("an event of PostHog's becomes ours", () => {
  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    [
      "a page's own event",
      { event: "bought", properties: { ...known, revenue: 9.5, currency: "eur", token: "t" } },
      {
        type: "bought",
        userId: "ada",
        anonymousId: "v1",
        revenue: "9.5",
        currency: "EUR",
        payload: { revenue: 9.5, currency: "eur" },
        context: { $is_identified: true },
      },
    ],
    [
      "a page view, what the client added to it being the context",
      {
        event: "$pageview",
        properties: {
          ...visitor,
          ...{ title: "Home", $os: "Linux", $app_version: "1.2", $device_type: "Desktop" },
          ...{ $session_id: "s1", $geoip_country_code: "DE", $geoip_city_name: "Köln" },
        },
        $set_once: { $initial_os: "Linux" },
      },
      {
        ...{ type: "page_view", userId: null, anonymousId: "v1", sessionId: "s1", appVersion: "1.2" },
        payload: { title: "Home" },
        context: {
          source_type: "$pageview",
          $os: "Linux",
          app_version: "1.2",
          $is_identified: false,
          $set_once: { $initial_os: "Linux" },
        },
      },
    ],
    [
      "a screen",
      { event: "$screen", properties: visitor },
      { type: "screen_view", context: { source_type: "$screen", $is_identified: false } },
    ],
    [
      "an identification",
      {
        event: "$identify",
        properties: { ...known, $anon_distinct_id: "v1", $set: { plan: "free", seats: 1 } },
        $set: { plan: "pro" },
        $set_once: { first: 1 },
      },
      {
        ...{ type: "identify", userId: "ada", anonymousId: "v1", payload: { plan: "pro", seats: 1 } },
        context: { source_type: "$identify", $is_identified: true, $set_once: { first: 1 } },
      },
    ],
    [
      "a server's identification",
      { event: "$identify", distinct_id: "ada", properties: { $set: { plan: "pro" }, $lib: "posthog-node" } },
      {
        type: "identify",
        userId: "ada",
        anonymousId: null,
        payload: { plan: "pro" },
        context: { source_type: "$identify", $lib: "posthog-node" },
      },
    ],
    [
      "a visitor's new name",
      { event: "$create_alias", properties: { ...visitor, alias: "ada" } },
      { type: "alias", userId: "ada", anonymousId: "v1", payload: {} },
    ],
    [
      "a user's other name",
      { event: "$create_alias", distinct_id: "ada", properties: { distinct_id: "ada", alias: "v9" } },
      { type: "alias", userId: "ada", anonymousId: "v9", payload: {} },
    ],
    [
      "a merge",
      { event: "$merge_dangerously", distinct_id: "ada", properties: { alias: "v9" } },
      { type: "alias", userId: "ada", anonymousId: "v9" },
    ],
    [
      "a group",
      {
        event: "$groupidentify",
        properties: { ...known, $group_type: "company", $group_key: "acme", $group_set: { seats: 3 } },
      },
      { type: "group", userId: "ada", aggregateId: "acme", payload: { seats: 3 } },
    ],
    [
      "a group nobody stands for",
      {
        event: "$groupidentify",
        distinct_id: "$company_acme",
        properties: { $group_type: "company", $group_key: "acme" },
      },
      { type: "group", userId: null, anonymousId: null, aggregateId: "acme" },
    ],
    [
      "a server's event",
      { event: "t", distinct_id: 42, properties: { alias: "x" } },
      { userId: "42", anonymousId: null, payload: { alias: "x" } },
    ],
    [
      "a server's event without a profile",
      { event: "t", distinct_id: "v7", properties: { $process_person_profile: false } },
      { userId: null, anonymousId: "v7" },
    ],
    [
      "an older browser's",
      { event: "t", properties: { distinct_id: "v1", $device_id: "v1" } },
      { userId: null, anonymousId: "v1" },
    ],
    [
      "an id without a uuid",
      { uuid: undefined, event: "t", properties: { $insert_id: "i-1" } },
      { eventId: "i-1", identity: "event_id" },
    ],
    [
      "an export's properties",
      { event: "t", distinct_id: "ada", properties: '{"a":1,"$os":"Linux"}', elements_chain: "a" },
      { payload: { a: 1 }, context: { $os: "Linux" }, metadata: { elements_chain: "a" } },
    ],
    [
      "when it was captured, in seconds",
      { timestamp: undefined, event: "t", offset: 5000, properties: { $time: (now - 2000) / 1000 } },
      { clientTime: now - 2000 },
    ],
  ])("%s", async (_, value, expected) => {
    expect(await one(value)).toMatchObject(expected);
  });

  it("counted back from its arrival where it only tells its age", async () => {
    const { batches } = await sent([{ uuid: "p-1", event: "t", offset: 2641.4, properties: visitor }]);
    expect([eventTimeOf(batches[0]!.ids), batches[0]!.flags[0]]).toEqual([now - 2641, flag.moved]);
    const again = await sent([{ uuid: "p-1", event: "t", offset: 9000, properties: visitor }]);
    expect(again.batches[0]!.hashes).toEqual(batches[0]!.hashes);
    expect(again.batches[0]!.fingerprints).toEqual(batches[0]!.fingerprints);
  });
});

describe("a request of PostHog's comes in", () => {
  const paths = ["/e", "/e/", "/batch", "/batch/", "/capture", "/capture/", "/i/v0/e", "/i/v0/e/"];
  const json = (value: unknown): string => JSON.stringify(value);
  const bare = { ...event, properties: known };
  const plain = { "content-type": "text/plain" };
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const encoded = (value: unknown): string =>
    `data=${encodeURIComponent(Buffer.from(json(value)).toString("base64"))}`;
  it.each<[string, unknown, string, Record<string, string>]>([
    ...paths.map((path): [string, unknown, string, Record<string, string>] => [
      `at ${path}`,
      event,
      path,
      {},
    ]),
    [
      "in a batch",
      { api_key: writeKey, batch: [bare], sent_at: new Date(now - 70).toISOString() },
      "/batch/",
      {},
    ],
    ["with a token for a key", { token: writeKey, batch: [bare] }, "/batch/", {}],
    ["as an array", [event], "/e/", plain],
    ["with its key beside the event", { ...bare, api_key: writeKey }, "/capture/", {}],
    ["with its key in the query", bare, `/e/?token=${writeKey}`, {}],
    [
      "as gzip that the query names",
      gzipSync(json([event])),
      "/e/?ip=1&ver=1.209.3&compression=gzip-js",
      plain,
    ],
    ["as gzip that nobody names", gzipSync(json(event)), "/e/", plain],
    [
      "as gzip that its header names",
      gzipSync(json({ api_key: writeKey, batch: [bare] })),
      "/batch/",
      { "content-encoding": "gzip" },
    ],
    ["as base64 in a form", encoded(event), "/e/?compression=base64", form],
    [
      "as base64 whose plus became a space",
      encoded(event).replaceAll("%2B", "+"),
      "/e/?compression=base64",
      form,
    ],
    ["as JSON in a form", `data=${encodeURIComponent(json(event))}`, "/e/", form],
  ])("%s", async (_, body, path, headers) => {
    const { response, events } = await sent(body, path, { ...withoutKey, ...headers });
    expect([response.status, await response.json()]).toEqual([200, { status: "Ok" }]);
    expect(events).toMatchObject([{ eventId: "p-1", type: "bought", userId: "ada" }]);
  });

  it.each(["/e/", "/capture"])("as a pixel's query, by GET at %s", async (path) => {
    const edge = await testEdge();
    for (const query of [encoded(event), `data=${encodeURIComponent(json(event))}`]) {
      const response = await edge.app.request(`${path}?${query}&_=${now - 70}`);
      expect([response.status, await response.json()]).toEqual([200, { status: "Ok" }]);
    }
    const events = edge.collector.batches.flatMap(bodiesOf);
    const same = { eventId: "p-1", type: "bought", userId: "ada", clockOffsetMs: 70 };
    expect(events).toMatchObject([same, same]);
    for (const query of ["", "?data=", "?data=%25"]) {
      expect((await edge.app.request(path + query)).status).toBe(400);
    }
  });

  it.each([
    ["/batch/", { sent_at: new Date(now - 70).toISOString() }],
    [`/batch/?_=${now - 70}`, {}],
  ])("and says when it was sent, at %s", async (path, beside) => {
    expect((await sent({ batch: [bare], ...beside }, path)).events).toMatchObject([{ clockOffsetMs: 70 }]);
  });
});

describe("bad input in PostHog's words", () => {
  it.each<[string, unknown, string, string]>([
    ["no name", { uuid: "1", properties: {} }, "missing_field", "/event"],
    ["a name that is a number", { event: 5 }, "invalid_type", "/event"],
    ["properties that are a list", { event: "t", properties: [] }, "invalid_type", "/properties"],
    ["properties that are text", { event: "t", properties: "x" }, "invalid_type", "/properties"],
    ["somebody who is an object", { event: "t", distinct_id: {} }, "invalid_type", "/distinct_id"],
    [
      "somebody among the properties",
      { event: "t", properties: { distinct_id: [] } },
      "invalid_type",
      "/properties/distinct_id",
    ],
    ["somebody too long", { event: "t", distinct_id: "x".repeat(257) }, "invalid_value", "/distinct_id"],
    ["an id that is a truth", { event: "t", uuid: true }, "invalid_type", "/uuid"],
    [
      "a session that is a list",
      { event: "t", properties: { $session_id: [] } },
      "invalid_type",
      "/properties/$session_id",
    ],
    [
      "a group that is a list",
      { event: "$groupidentify", properties: { $group_type: [], $group_key: [[]] } },
      "invalid_type",
      "/properties/$group_key",
    ],
    [
      "a local time",
      { event: "t", timestamp: "2026-11-20T12:00:00" },
      "timestamp_without_offset",
      "/timestamp",
    ],
    ["an old time", { event: "t", timestamp: "2015-01-01T00:00:00Z" }, "time_too_old", "/timestamp"],
    ["an age of years", { event: "t", offset: 1e15 }, "time_too_old", "/timestamp"],
    [
      "money that is none",
      { event: "t", properties: { revenue: "free" } },
      "invalid_value",
      "/properties/revenue",
    ],
    ["too much", { event: "t", properties: { text: "x".repeat(65_536) } }, "event_too_large", ""],
    [
      "a group a hundred levels deep",
      {
        event: "$groupidentify",
        properties: { $group_key: JSON.parse(`${"[".repeat(100)}${"]".repeat(100)}`) },
      },
      "nesting_too_deep",
      "",
    ],
    ["no object", "x", "invalid_type", ""],
  ])("%s is kept, and its neighbour is stored", async (_, bad, code, pointer) => {
    const { response, batches, events } = await sent({ batch: [bad, event] });
    expect(response.status).toBe(200);
    expect(batches[0]!.refusals).toMatchObject([{ index: 0, code, pointer }]);
    expect(events[1]).toMatchObject({ eventId: "p-1" });
  });

  it.each<[string, unknown, number, string]>([
    ["half a JSON", '{"batch":[', 400, "body_malformed"],
    ["a form without data", "data=", 400, "body_malformed"],
    ["a form that is no base64", "data=%%%", 400, "body_malformed"],
    ["a form whose base64 is no UTF-8", `data=${btoa("{\xff}")}`, 400, "body_malformed"],
    ["an empty batch", { batch: [] }, 400, "body_malformed"],
    ["two projects' events", [event, { ...event, properties: { token: "other" } }], 400, "body_malformed"],
    ["too many", Array(2501).fill({}), 413, "too_many_events"],
    ["too much", ["x".repeat(1024 * 1024)], 413, "body_too_large"],
    ["gzip that unpacks without end", gzipSync(Buffer.alloc(8 * 1024 * 1024, 32)), 413, "body_too_large"],
  ])("%s is refused as a whole", async (_, body, status, code) => {
    const { response, batches } = await sent(body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(batches).toEqual([]);
  });

  it.each(["[", '{"a":'])("a text that nests without end is kept: %s", async (open) => {
    const many = 8_000;
    const close = open === "[" ? "]" : "}";
    const deep = `{"a":${open.repeat(many)}1${close.repeat(many)}}`;
    const { response, batches } = await sent({ batch: [{ event: "t", properties: deep }, event] });
    expect([response.status, batches[0]!.count, batches[0]!.refusals[0]!.code]).toEqual([
      ...[200, 2],
      "nesting_too_deep",
    ]);
  });

  it("is never told 429, which its client takes for final, and is told of an unknown key for good", async () => {
    const edge = await testEdge({ rateEventsPerSecond: 1 });
    await edge.post({ batch: Array(1000).fill(event) }, {}, "/batch/");
    const refused = await edge.post({ batch: [event] }, {}, "/batch/");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    edge.collector.before = async () => {
      throw new WeirError("log_unavailable", "The log is down.", { retryAfterMs: 2000 });
    };
    await edge.clock.advance(5000);
    const away = await edge.post({ batch: [event] }, {}, "/batch/");
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "2"]);
    expect((await edge.post(event, { authorization: "Bearer no" }, "/e/")).status).toBe(401);
  });

  const members = [
    ...[
      "uuid",
      "event",
      "distinct_id",
      "properties",
      "timestamp",
      "offset",
      "$set",
      "$set_once",
      "sent_at",
      "batch",
    ],
    ...[
      "$insert_id",
      "$device_id",
      "$user_id",
      "$is_identified",
      "$anon_distinct_id",
      "alias",
      "$session_id",
      "$time",
    ],
    ...[
      "$group_type",
      "$group_key",
      "$group_set",
      "$app_version",
      "$device_type",
      "$geoip_country_code",
      "revenue",
    ],
  ];
  const properties = changed({ ...known, $time: now / 1000, revenue: 1, $os: "x" }, members);
  const named = fc.constantFrom("bought", "$pageview", "$identify", "$create_alias", "$groupidentify", "");
  const anEvent = fc.oneof(
    fc
      .tuple(named, properties, changed({ uuid: "u-1", timestamp }, members))
      .map(([name, given, rest]) => ({ event: name, properties: given, ...(rest as object) })),
    jsonWith(members),
  );
  const text = fc
    .oneof(
      anEvent,
      fc.array(anEvent, { minLength: 1, maxLength: 4 }),
      fc.record({ batch: fc.array(anEvent, { maxLength: 4 }), sent_at: jsonWith(members) }),
    )
    .map((value) => JSON.stringify(value) ?? "");
  const form = text.map((plain) => `data=${encodeURIComponent(Buffer.from(plain).toString("base64"))}`);
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constantFrom("/e/", "/batch/", "/capture", "/i/v0/e/?compression=gzip-js", `/e/?_=${now}&ip=1`),
    body: bytesOf(fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: form })),
    headers: fc.constantFrom<Record<string, string>>({}, { "content-type": "text/plain" }),
  });
  it(
    "of any kind has an outcome",
    () => fuzz("PostHog", request, (status) => status === 200, [400, 413]),
    fuzzMs,
  );
});

describe("what PostHog's clients ask beside", () => {
  it.each<[string, string, Record<string, unknown>]>([
    ["POST", "/flags/?v=2", { flags: {}, errorsWhileComputingFlags: false }],
    ["POST", "/decide/?v=3", { featureFlags: {}, sessionRecording: false }],
    ["GET", "/array/phc_1/config", { supportedCompression: ["gzip", "gzip-js"], hasFeatureFlags: false }],
    ["GET", "/api/surveys/?token=phc_1", { surveys: [] }],
    ["GET", "/api/feature_flag/local_evaluation?token=phc_1", { flags: [] }],
  ])("%s %s is answered, and empty", async (method, path, expected) => {
    const edge = await testEdge();
    const response = await edge.app.request(path, { method, headers: { origin: "https://shop.example" } });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://shop.example",
    ]);
    expect(await response.json()).toMatchObject(expected);
  });

  it("a script with the settings holds a key, and never a script of somebody else's", async () => {
    const edge = await testEdge();
    const script = await edge.app.request("/array/phc_1/config.js");
    expect(script.headers.get("content-type")).toMatch(/javascript/);
    expect(await script.text()).toContain('c["phc_1"]={config:{');
    expect((await edge.app.request(`/array/${encodeURIComponent('"]=alert(1)//')}/config.js`)).status).toBe(
      404,
    );
  });

  it("a replay is not taken: what would not be kept gets no 200", async () => {
    expect((await (await testEdge()).app.request("/s/", { method: "POST", body: "x" })).status).toBe(404);
  });
});

describe("posthog-node", () => {
  const uuid = (at: number): string => `019aa0c5-8a00-7d31-b1f4-${String(at).padStart(12, "0")}`;
  it.each<[string, unknown[]]>([
    ["at once", []],
    ["through 503, a lost answer and 429", [{ status: 503 }, "cut", { status: 429 }]],
  ])(
    "delivers every event once, %s",
    async (_, faults) => {
      const scene = await openScene();
      scene.faults.push(...(faults as typeof scene.faults));
      const lost: unknown[] = [];
      const client = new PostHog(scene.writeKey, {
        host: scene.url,
        flushAt: 100,
        flushInterval: 60_000,
        fetchRetryDelay: 200,
      });
      client.on("error", (error) => lost.push(error));
      client.identify({ distinctId: "ada", properties: { $set: { plan: "pro" } } });
      client.alias({ distinctId: "ada", alias: "visitor-1" });
      client.groupIdentify({
        groupType: "company",
        groupKey: "acme",
        properties: { seats: 3 },
        distinctId: "ada",
      });
      for (let at = 0; at < 9; at += 1) {
        client.capture({
          distinctId: "ada",
          event: "bought",
          uuid: uuid(at),
          properties: { revenue: 1.5, currency: "EUR" },
        });
      }
      await client.shutdown(25_000);
      await until("every event is stored", 10_000, () => scene.stored().length === 12);
      const stored = scene.stored();
      expect(stored.map(({ type }) => type)).toEqual([
        "identify",
        "alias",
        "group",
        ...Array(9).fill("bought"),
      ]);
      expect(stored.slice(3).map(({ eventId }) => eventId)).toEqual(
        Array.from({ length: 9 }, (_, at) => uuid(at)),
      );
      expect(stored[0]).toMatchObject({ userId: "ada", payload: '{"plan":"pro"}' });
      expect(stored[1]).toMatchObject({ userId: "ada", anonymousId: "visitor-1" });
      expect(stored[3]).toMatchObject({ userId: "ada", revenue: "1.5", currency: "EUR" });
      expect(scene.refusals()).toEqual([]);
      expect(lost).toEqual([]);
      expect(scene.requests.map(({ status }) => status)).toEqual(
        faults.length === 0 ? [200] : [503, 0, 429, 200],
      );
      expect(await client.getAllFlags("ada")).toEqual({});
      await scene.close();
    },
    60_000,
  );
});
