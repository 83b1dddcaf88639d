// The edge's routes: who comes in, how, and what each request is told.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { toUuid } from "../../shared/event/bytes.ts";
import { flag } from "../../shared/event/event.ts";
import { eventTimeOf } from "../../shared/event/identity.ts";
import { WeirError } from "../../shared/problem.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { bodiesOf, now, testEdge, writeKey } from "./support.ts";

const event = {
  event_id: "e1",
  type: "page_view",
  user_id: "u1",
  timestamp: new Date(now - 1000).toISOString(),
};
const text = JSON.stringify(event);

describe("a request comes in", () => {
  const withoutKey = { authorization: "" };
  it.each<[string, unknown, Record<string, string>]>([
    ["as an object with events", { events: [event] }, {}],
    ["as a list", [event], {}],
    ["as one event", event, {}],
    ["without a type", text, { "content-type": "" }],
    ["as text/plain", text, { "content-type": "text/plain;charset=UTF-8" }],
    ["as lines", `${text}\n`, { "content-type": "application/x-ndjson" }],
    ["as msgpack", pack([event]), { "content-type": "application/msgpack" }],
    ["as one msgpack event", pack(event), { "content-type": "application/x-msgpack" }],
    ["as gzip", gzipSync(text), { "content-encoding": "gzip" }],
    ["as gzip that nobody announced", gzipSync(text), { "content-type": "text/plain" }],
    ["with a byte order mark", `\ufeff${text}`, {}],
    ["with its key by Basic", event, { authorization: `Basic ${btoa(`${writeKey}:`)}` }],
    ["with its key beside the events", { write_key: writeKey, events: [event] }, withoutKey],
    ["with its key in the one event", { ...event, write_key: writeKey }, withoutKey],
    [
      "with its key in msgpack",
      pack({ ...event, write_key: writeKey }),
      { ...withoutKey, "content-type": "application/msgpack" },
    ],
  ])("%s", async (_, body, headers) => {
    const edge = await testEdge();
    const response = await edge.post(body, headers);
    expect(response.status).toBe(202);
    const batch = edge.collector.batches[0]!;
    expect(await response.json()).toEqual({
      batch_id: toUuid(batch.batchId),
      received: 1,
      accepted: 1,
      duplicate: 0,
      quarantined: 0,
      errors: [],
    });
    expect(bodiesOf(batch)).toMatchObject([{ eventId: "e1", userId: "u1", identity: "event_id" }]);
    expect(batch).toMatchObject({ project: "shop", edge: "edge-1", count: 1, receivedAt: now });
    expect(eventTimeOf(batch.ids)).toBe(now - 1000);
  });

  it("twice, and the second is a duplicate", async () => {
    const edge = await testEdge();
    await edge.post(event);
    expect(await (await edge.post(event)).json()).toMatchObject({ received: 1, accepted: 0, duplicate: 1 });
  });

  it("and is answered only after the collector has it", async () => {
    const edge = await testEdge();
    const gate = Promise.withResolvers<void>();
    edge.collector.before = () => gate.promise;
    let isAnswered = false;
    const response = edge.post(event).then((answered) => {
      isAnswered = true;
      return answered;
    });
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    gate.resolve();
    expect((await response).status).toBe(202);
  });

  it("and is told when nothing durable takes it", async () => {
    const edge = await testEdge();
    edge.collector.before = async () => {
      throw new WeirError("log_unavailable", "The log is down.", { retryAfterMs: 3000 });
    };
    const response = await edge.post(event);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "3"]);
    expect(await response.json()).toMatchObject({ code: "log_unavailable", retryable: true });
  });
});

describe("an event's fields", () => {
  it("are stored beside its texts, money as a decimal", async () => {
    const edge = await testEdge();
    const full = {
      ...event,
      anonymous_id: "a1",
      session_id: "s1",
      stream_id: "st1",
      seq: 7,
      version: 2,
      aggregate_id: "cart",
      payload: { z: 1, revenue: 1e-7, a: [{ b: 1, a: 2 }] },
      metadata: { m: null },
      context: {
        country: "DE",
        city: "Köln",
        device: "ios",
        app_version: "1.2",
        currency: "eur",
        trace_id: "mine",
      },
    };
    await edge.post(
      { sent_at: now - 40, events: [full] },
      { "x-request-id": "req-1", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` },
    );
    const batch = edge.collector.batches[0]!;
    expect(batch.traceparent).toBe(`00-${"a".repeat(32)}-${"b".repeat(16)}-01`);
    expect(bodiesOf(batch)[0]).toEqual({
      identity: "event_id",
      clientTime: now - 1000,
      type: "page_view",
      version: 2,
      eventId: "e1",
      aggregateId: "cart",
      userId: "u1",
      anonymousId: "a1",
      sessionId: "s1",
      streamId: "st1",
      seq: 7,
      country: "DE",
      city: "Köln",
      device: "ios",
      appVersion: "1.2",
      revenue: "0.0000001",
      currency: "EUR",
      payload: '{"a":[{"a":2,"b":1}],"revenue":1e-7,"z":1}',
      context:
        '{"app_version":"1.2","city":"Köln","country":"DE","currency":"eur","device":"ios","trace_id":"mine","request_id":"req-1"}',
      metadata: '{"m":null}',
      clockOffsetMs: 40,
    });
  });

  it("may be null where they may be absent", async () => {
    const edge = await testEdge();
    const nulls = {
      type: "t",
      event_id: null,
      user_id: null,
      timestamp: null,
      payload: null,
      context: null,
      seq: null,
    };
    expect(await (await edge.post(nulls)).json()).toMatchObject({ accepted: 1 });
    const batch = edge.collector.batches[0]!;
    expect(bodiesOf(batch)[0]).toMatchObject({ identity: "arrival", clientTime: null, payload: "{}" });
    expect(batch.flags[0]).toBe(flag.weak | flag.moved);
  });

  it.each([
    ["12.30", "12.30"],
    ["+5", "5"],
    [-3.5, "-3.5"],
    [1e21, "1000000000000000000000"],
    [null, null],
  ])("hold the revenue %s as %s", async (revenue, stored) => {
    const edge = await testEdge();
    await edge.post({ ...event, payload: { revenue, currency: "US" }, context: { currency: "USD" } });
    expect(bodiesOf(edge.collector.batches[0]!)[0]).toMatchObject({ revenue: stored, currency: "USD" });
  });

  it("may lie far back for a key with the right to it", async () => {
    const edge = await testEdge();
    await edge.post({ ...event, timestamp: "2010-12-01T08:26:00Z" }, { authorization: "Bearer wk_old" });
    const batch = edge.collector.batches[0]!;
    expect([batch.refusals, batch.flags[0]]).toEqual([[], flag.historical]);
  });

  it("are moved by the client's clock error where that shows", async () => {
    const edge = await testEdge();
    const hour = 3_600_000;
    await edge.post({ ...event, timestamp: now + 2 * hour - 5, sent_at: now + 2 * hour });
    const batch = edge.collector.batches[0]!;
    expect([eventTimeOf(batch.ids), batch.flags[0]]).toEqual([now - 5, flag.moved]);
    expect(bodiesOf(batch)[0]).toMatchObject({ clientTime: now + 2 * hour - 5, clockOffsetMs: -2 * hour });
  });
});

describe("a growth event", () => {
  const growth = {
    user_id: "u1",
    event_type: "signup",
    client_timestamp: "2026-11-20T11:58:00Z",
    payload: {},
  };
  const path = "/v1/growth-events";

  it("is one per user, type and window, at the window's start", async () => {
    const edge = await testEdge();
    await edge.post(
      [growth, { ...growth, client_timestamp: "2026-11-20T11:55:00Z", payload: { other: 1 } }],
      {},
      path,
    );
    const batch = edge.collector.batches[0]!;
    expect(batch.hashes.slice(0, 16)).toEqual(batch.hashes.slice(16, 32));
    expect([...batch.fingerprints]).toEqual(Array(16).fill(0));
    expect(eventTimeOf(batch.ids)).toBe(Date.UTC(2026, 10, 20, 11, 55));
    expect(bodiesOf(batch)[0]).toMatchObject({
      type: "signup",
      clientTime: Date.UTC(2026, 10, 20, 11, 58),
      identity: "window",
    });
  });

  it.each([
    { ...growth, client_timestamp: "2026-11-20T11:54:59Z" },
    { ...growth, user_id: "u2" },
    { ...growth, event_type: "login" },
    { ...growth, payload: { sequence: 2 } },
    { ...growth, payload: { session: "s" } },
  ])("is another one: %j", async (other) => {
    const edge = await testEdge();
    await edge.post([growth, other], {}, path);
    const { hashes } = edge.collector.batches[0]!;
    expect(hashes.slice(0, 16)).not.toEqual(hashes.slice(16, 32));
  });

  it.each([
    [{ ...growth, user_id: undefined }, "missing_field", "/user_id"],
    [{ ...growth, client_timestamp: "2026-11-20T11:58:00" }, "timestamp_without_offset", "/client_timestamp"],
    [{ ...growth, event_type: 5 }, "invalid_type", "/event_type"],
    [{ ...growth, type: "t" }, "unknown_field", "/type"],
  ])("is refused in its own words: %j", async (bad, code, pointer) => {
    const edge = await testEdge();
    expect(await (await edge.post(bad, {}, path)).json()).toMatchObject({ errors: [{ code, pointer }] });
  });
});

describe("a request's name", () => {
  it.each([
    ["req-1/A=b", true],
    ["x".repeat(128), true],
    ["x".repeat(129), false],
    ["with space", false],
    ['"quoted"', false],
  ])("%s is kept: %s", async (name, isKept) => {
    const edge = await testEdge();
    const response = await edge.post(event, { "x-request-id": name });
    const echoed = response.headers.get("x-request-id")!;
    expect(echoed === name).toBe(isKept);
    expect(bodiesOf(edge.collector.batches[0]!)[0]).toMatchObject({ context: `{"request_id":"${echoed}"}` });
  });

  it("comes back with a refusal", async () => {
    const edge = await testEdge();
    const response = await edge.post("{", { "x-request-id": "mine" });
    expect(response.headers.get("x-request-id")).toBe("mine");
    expect(await response.json()).toMatchObject({ instance: "mine" });
  });

  it.each([
    "",
    "00-abc",
    `ff-${"a".repeat(32)}-${"b".repeat(16)}-01`,
    `00-${"0".repeat(32)}-${"b".repeat(16)}-01`,
  ])("an unsound traceparent is passed over: %s", async (traceparent) => {
    const edge = await testEdge();
    await edge.post(event, { traceparent });
    expect(edge.collector.batches[0]!.traceparent).toBeNull();
  });

  it("a trace id is kept where the client gave none", async () => {
    const edge = await testEdge();
    await edge.post(event, { "x-request-id": "r", traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` });
    expect(bodiesOf(edge.collector.batches[0]!)[0]).toMatchObject({
      context: `{"request_id":"r","trace_id":"${"a".repeat(32)}"}`,
    });
  });
});

describe("the gate", () => {
  it("lets a key send what its rate allows, and says when to come back", async () => {
    const edge = await testEdge({ rateEventsPerSecond: 1000 });
    const send = (count: number) => edge.post(Array(count).fill(event));
    expect((await send(1000)).status).toBe(202);
    const refused = await send(500);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({ code: "rate_limited", retryable: true });
    expect((await edge.post(event, { authorization: "Bearer wk_old" })).status).toBe(202);
    await edge.clock.advance(500);
    expect((await send(500)).status).toBe(202);
  });

  it("lets any page send, without cookies", async () => {
    const edge = await testEdge();
    const origin = "https://shop.example";
    const asked = await edge.app.request("/v1/events", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
      },
    });
    expect(asked.status).toBe(204);
    for (const response of [asked, await edge.post(event, { origin }), await edge.post("{", { origin })]) {
      expect(response.headers.get("access-control-allow-origin")).toBe(origin);
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
      expect(response.headers.get("vary")).toMatch(/origin/i);
    }
  });
});

describe("the other routes", () => {
  it("tell life, readiness and measures", async () => {
    const edge = await testEdge({ exposition: () => "weir_up 1\n" });
    expect((await edge.app.request("/livez")).status).toBe(200);
    expect((await edge.app.request("/readyz")).status).toBe(200);
    expect(await (await edge.app.request("/metrics")).text()).toBe("weir_up 1\n");
  });

  it("are not ready while the collector or the keys are not", async () => {
    const refuse = async (): Promise<never> => {
      throw new WeirError("not_ready", "Not yet.");
    };
    const keys = {
      find: () => undefined,
      policyOf: () => undefined,
      renew: async () => true,
      ready: refuse,
      close: async () => undefined,
    };
    const response = await (await testEdge({ keys })).app.request("/readyz");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  it.each([
    ["GET", "/v1/events", 405, "method_not_allowed", "POST"],
    ["PUT", "/track", 405, "method_not_allowed", "POST,GET,HEAD"],
    ["POST", "/livez", 405, "method_not_allowed", "GET,HEAD"],
    ["POST", "/v1/nothing", 404, "not_found", null],
  ])("answer %s %s by a problem", async (method, path, status, code, allowed) => {
    const response = await (await testEdge()).app.request(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([status, allowed]);
    expect(await response.json()).toMatchObject({ code });
  });
});
