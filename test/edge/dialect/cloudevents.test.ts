// CloudEvents in three modes and OpenMeter's events: what they become, and what the real clients make of the answers.
import { OpenMeter } from "@openmeter/sdk";
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from "cloudevents";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodiesOf, now, testEdge } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";
import { openScene } from "./scene.ts";

const path = "/v1/cloudevents";
const event = {
  specversion: "1.0",
  id: "e-1",
  source: "/shop/cart",
  type: "cart.filled",
  subject: "cart 7",
  time: "2026-11-20T11:59:59.000Z",
  datacontenttype: "application/json",
  dataschema: "https://shop.example/cart.json",
  userid: "u1",
  anonymousid: "a1",
  sessionid: "s1",
  region: "eu",
  data: { items: 2, revenue: 9.5, currency: "EUR" },
};
const structured = { "content-type": "application/cloudevents+json; charset=utf-8" };
const batched = { "content-type": "application/cloudevents-batch+json" };

async function sent(body: unknown, headers: Record<string, string>, at = path) {
  const edge = await testEdge();
  const response = await edge.post(body, headers, at);
  return { response, events: edge.collector.batches.flatMap(bodiesOf), batches: edge.collector.batches };
}

describe("a CloudEvent", () => {
  const binary = {
    "content-type": "application/json",
    ...Object.fromEntries(
      Object.entries(event).flatMap(([name, value]) =>
        name === "data" || name === "datacontenttype"
          ? []
          : [[`ce-${name}`, encodeURIComponent(String(value))]],
      ),
    ),
  };
  it.each<[string, unknown, Record<string, string>]>([
    ["structured", event, structured],
    ["batched", [event], batched],
    ["binary", event.data, binary],
    ["plain JSON", event, {}],
  ])("comes in %s mode and is the same event", async (_, body, headers) => {
    const { response, events, batches } = await sent(body, { ...headers, "x-request-id": "r" });
    expect(response.status).toBe(202);
    expect(events).toEqual([
      {
        identity: "event_id",
        clientTime: now - 1000,
        type: "cart.filled",
        version: 1,
        eventId: "/shop/cart#e-1",
        aggregateId: "cart 7",
        userId: "u1",
        anonymousId: "a1",
        sessionId: "s1",
        streamId: null,
        seq: null,
        country: null,
        city: null,
        device: null,
        appVersion: null,
        revenue: "9.5",
        currency: "EUR",
        payload: '{"currency":"EUR","items":2,"revenue":9.5}',
        context: '{"request_id":"r"}',
        metadata:
          '{"datacontenttype":"application/json","dataschema":"https://shop.example/cart.json","region":"eu","source":"/shop/cart","specversion":"1.0"}',
        clockOffsetMs: null,
      },
    ]);
    const edge = await testEdge();
    await edge.post(event, structured, path);
    expect(batches[0]!.hashes).toEqual(edge.collector.batches[0]!.hashes);
    expect(batches[0]!.fingerprints).toEqual(edge.collector.batches[0]!.fingerprints);
  });

  const at = (source: string, id: string) => ({ ...event, source, id });
  it("is told from every other by source and id together", async () => {
    const pairs = [at("a", "b#c"), at("a#b", "c"), at("a", "b%23c"), at("a", "c"), at("b", "c")];
    const { events } = await sent(pairs, batched);
    expect(new Set(events.map((one) => (one as { eventId: string }).eventId)).size).toBe(pairs.length);
  });

  const mode = { "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0" };
  it.each<[string, string | Uint8Array, string, string]>([
    ["a list", "[1]", "application/json", '{"data":[1]}'],
    ["JSON of a named kind", '{"a":1}', "application/vnd.shop+json", '{"a":1}'],
    ["text", "hello", "text/plain", '{"data":"hello"}'],
    ["bytes", new Uint8Array([255, 0]), "application/octet-stream", '{"data_base64":"/wA="}'],
    ["a bare text that is called JSON", "hello", "application/json", '{"data":"hello"}'],
    [
      "a body that would close the event",
      '1},{"id":"2"',
      "application/json",
      '{"data":"1},{\\"id\\":\\"2\\""}',
    ],
    ["nothing", "", "application/json", "{}"],
  ])("holds %s as its data in binary mode", async (_, body, type, payload) => {
    const { events } = await sent(body, { ...mode, "content-type": type });
    expect(events).toMatchObject([{ payload, eventId: "/s#1" }]);
  });

  it("counts when it was received where it has no time, and is known by its id all the same", async () => {
    const { events } = await sent({ ...event, time: undefined }, structured);
    expect(events).toMatchObject([{ clientTime: null, identity: "event_id" }]);
  });
});

describe("OpenMeter's door", () => {
  it("takes the subject for the user, and answers 204", async () => {
    const { response, events } = await sent([event, { ...event, id: "e-2" }], batched, "/api/v1/events");
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(events).toMatchObject([{ userId: "cart 7", aggregateId: null }, { eventId: "/shop/cart#e-2" }]);
  });
});

describe("bad input", () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ["no id", { id: undefined }, "missing_field", "/id"],
    ["an empty source", { source: "" }, "missing_field", "/source"],
    ["a number for an id", { id: 7 }, "invalid_type", "/id"],
    ["another version", { specversion: "2.0" }, "invalid_value", "/specversion"],
    ["an endless id", { id: "x".repeat(300) }, "invalid_value", "/id"],
    ["an empty subject", { subject: "" }, "invalid_value", "/subject"],
    ["a local time", { time: "2026-11-20T12:00:00" }, "timestamp_without_offset", "/time"],
    ["a time of long ago", { time: "2020-01-01T00:00:00Z" }, "time_too_old", "/time"],
    ["a revenue that is no number", { data: { revenue: "much" } }, "invalid_value", "/data/revenue"],
    ["much data", { data: { text: "x".repeat(70_000) } }, "event_too_large", ""],
  ])("%s is quarantined whole, with its place in the client's words", async (_, change, code, pointer) => {
    const bad = JSON.stringify({ ...event, ...change });
    const { response, events } = await sent(`[${JSON.stringify(event)},${bad}]`, batched);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({
      received: 2,
      accepted: 1,
      errors: [{ index: 1, code, pointer }],
    });
    expect(events[1]).toBe(bad);
  });

  it("a number that no double holds is quarantined in binary mode as the event it was", async () => {
    const headers = { "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0" };
    const { response, events } = await sent('{"n":12345678901234567890}', headers);
    expect(await response.json()).toMatchObject({
      errors: [{ code: "number_not_representable", pointer: "/data/n" }],
    });
    expect(JSON.parse(events[0] as string)).toMatchObject({
      id: "1",
      source: "/s",
      datacontenttype: "application/json",
    });
  });

  it.each<[string, unknown, Record<string, string>, number, string]>([
    ["no JSON", "{", structured, 400, "body_malformed"],
    ["no event", "[]", batched, 400, "body_malformed"],
    ["no UTF-8", new Uint8Array([0xff]), structured, 400, "body_malformed"],
    [
      "another format",
      "x",
      { "content-type": "application/cloudevents+avro" },
      415,
      "unsupported_media_type",
    ],
    ["neither headers nor JSON", "x", { "content-type": "text/xml" }, 415, "unsupported_media_type"],
    ["too many", Array(2501).fill(event), batched, 413, "too_many_events"],
    ["an unknown key", event, { ...structured, authorization: "Bearer no" }, 401, "unknown_write_key"],
  ])("%s is refused whole", async (_, body, headers, status, code) => {
    const { response, batches } = await sent(body, headers);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
    expect(batches).toEqual([]);
  });

  const names = [...Object.keys(event), "data_base64", "datacontentencoding", "traceparent"];
  const one = changed(event, names);
  const json = fc
    .oneof(one, fc.array(one, { maxLength: 4 }), jsonWith(names))
    .map((value) => JSON.stringify(value));
  const headerText = fc
    .string({ maxLength: 12, unit: fc.constantFrom(...'aZ09%2f#;= "\\é') })
    .map((text) => text.trim());
  const attributes = fc.dictionary(
    fc.constantFrom("ce-id", "ce-source", "ce-type", "ce-time", "ce-data", "ce-subject", "ce-__proto__"),
    headerText,
  );
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constantFrom(path, "/api/v1/events", `${path}?access_token=%00`),
    headers: fc
      .tuple(
        fc.constantFrom(
          "application/cloudevents+json",
          batched["content-type"],
          "application/json",
          "text/plain",
          "a/b",
          "",
        ),
        fc.option(
          attributes.map((some) => ({ "ce-specversion": "1.0", ...some })),
          { nil: {} },
        ),
      )
      .map(([type, some]): Record<string, string> => ({ "content-type": type, ...some })),
    body: bytesOf(json),
  });
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("CloudEvents", request, (status) => status === 202 || status === 204, [400, 413, 415]);
    },
    fuzzMs,
  );
});

describe("the real clients", () => {
  it("cloudevents sends binary and structured, a copy of each, and every event is stored once", async () => {
    const scene = await openScene();
    const headers = { authorization: `Bearer ${scene.writeKey}` };
    for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
      const emit = emitterFor(httpTransport(`${scene.url}${path}`), { binding: HTTP, mode });
      for (let n = 0; n < 5; n += 1) {
        const one = new CloudEvent({
          type: "act",
          source: `/${mode}`,
          subject: "s",
          data: { n },
          tenant: "t",
        });
        await emit(one, { headers });
        await emit(one, { headers });
      }
      await emit(new CloudEvent({ type: "said", source: `/${mode}`, data: "hello" }), { headers });
    }
    expect(scene.requests.map(({ status }) => status)).toEqual(Array(22).fill(202));
    expect(scene.stored().map(({ type, payload }) => [type, payload])).toEqual(
      [Mode.BINARY, Mode.STRUCTURED].flatMap(() => [
        ...Array.from({ length: 5 }, (_, n) => ["act", `{"n":${n}}`]),
        ["said", '{"data":"hello"}'],
      ]),
    );
    await scene.close();
  });

  it("@openmeter/sdk ingests, hears of a fault, and sends the same event again", async () => {
    const scene = await openScene();
    const client = new OpenMeter({ baseUrl: scene.url, apiKey: scene.writeKey });
    const usage = Array.from({ length: 10 }, (_, n) => ({
      id: `use-${n}`,
      source: "api",
      type: "request",
      subject: `customer-${n % 2}`,
      data: { tokens: n },
    }));
    scene.faults.push({ status: 503, headers: { "retry-after": "1" } }, "cut");
    await expect(client.events.ingest(usage)).rejects.toThrow();
    await expect(client.events.ingest(usage)).rejects.toThrow();
    await client.events.ingest(usage);
    await client.events.ingest({ type: "request", subject: "customer-1", data: { tokens: 1 } });
    expect(scene.received()).toBe(21);
    expect(scene.stored().map(({ userId, payload }) => [userId, payload])).toEqual([
      ...usage.map(({ subject, data }) => [subject, JSON.stringify(data)]),
      ["customer-1", '{"tokens":1}'],
    ]);
    await scene.close();
  });
});
