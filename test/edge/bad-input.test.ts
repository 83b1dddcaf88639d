// Every kind of bad input gets its clear answer, and hurts no good event beside it.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { flag } from "../../shared/event/event.ts";
import { bodyBytesMax, eventBytesMax, requestEventsMax } from "../../shared/limits.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { bodiesOf, now, testEdge } from "./support.ts";

const good = { event_id: "good", type: "page_view", timestamp: new Date(now).toISOString() };
const json = (value: unknown): string => JSON.stringify(value);

interface Answer {
  received: number;
  accepted: number;
  quarantined: number;
  errors: { index: number; code: string; pointer: string; detail: string }[];
}

const refusals: [name: string, event: string, code: string, pointer: string][] = [
  [
    "a local time",
    json({ ...good, timestamp: "2026-11-20T12:00:00" }),
    "timestamp_without_offset",
    "/timestamp",
  ],
  ["a time that is none", json({ ...good, timestamp: "yesterday" }), "timestamp_invalid", "/timestamp"],
  ["a truth value as time", json({ ...good, timestamp: true }), "invalid_type", "/timestamp"],
  ["a time of last year", json({ ...good, timestamp: "2025-11-20T12:00:00Z" }), "time_too_old", "/timestamp"],
  ["a time of tomorrow", json({ ...good, timestamp: "2026-11-21T12:00:00Z" }), "time_ahead", "/timestamp"],
  ["no type", json({ event_id: "x" }), "missing_field", "/type"],
  ["a number as type", json({ type: 1 }), "invalid_type", "/type"],
  ["an empty type", json({ type: "" }), "invalid_value", "/type"],
  ["a number as event_id", json({ ...good, event_id: 7 }), "invalid_type", "/event_id"],
  ["a long user_id", json({ ...good, user_id: "u".repeat(257) }), "invalid_value", "/user_id"],
  ["half a seq", json({ ...good, seq: 1.5 }), "invalid_type", "/seq"],
  ["a negative seq", json({ ...good, seq: -1 }), "invalid_value", "/seq"],
  ["version 0", json({ ...good, version: 0 }), "invalid_value", "/version"],
  ["a list as payload", json({ ...good, payload: [] }), "invalid_type", "/payload"],
  ["text as metadata", json({ ...good, metadata: "m" }), "invalid_type", "/metadata"],
  ["a list as context", json({ ...good, context: [] }), "invalid_type", "/context"],
  ["a number as country", json({ ...good, context: { country: 49 } }), "invalid_type", "/context/country"],
  [
    "a truth value as revenue",
    json({ ...good, payload: { revenue: true } }),
    "invalid_type",
    "/payload/revenue",
  ],
  ["words as revenue", json({ ...good, payload: { revenue: "1,50" } }), "invalid_value", "/payload/revenue"],
  ["a field that is none", json({ ...good, "user/~id": "u" }), "unknown_field", "/user~1~0id"],
  ["`__proto__` as a field", '{"__proto__":{"type":"page_view"}}', "unknown_field", "/__proto__"],
  ["text as an event", '"event"', "invalid_type", ""],
  ["nothing as an event", "null", "invalid_type", ""],
  ["a list as an event", "[]", "invalid_type", ""],
  ["levels beyond the limit", json({ ...good, payload: nested(32) }), "nesting_too_deep", ""],
  [
    "levels without end",
    `{"type":"t","payload":${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}`,
    "event_too_large",
    "",
  ],
  [
    "64-bit integers",
    '{"type":"t","payload":{"n":12345678901234567890}}',
    "number_not_representable",
    "/payload/n",
  ],
  [
    "2^53 + 1",
    '{"type":"t","payload":{"n":[1,9007199254740993]}}',
    "number_not_representable",
    "/payload/n/1",
  ],
  ["1e400", '{"type":"t","payload":{"a/b":{"n": 1e400}}}', "number_not_representable", "/payload/a~1b/n"],
  ["1e-400", '{"type":"t","payload":{"n":-1E-400}}', "number_not_representable", "/payload/n"],
  [
    "19 digits of a fraction",
    '{"type":"t","payload":{"n":0.1234567890123456789}}',
    "number_not_representable",
    "/payload/n",
  ],
  [
    "a long time",
    '{"type":"t","timestamp":1795176000000.00000001}',
    "number_not_representable",
    "/timestamp",
  ],
  [
    "more than 64 KiB",
    json({ ...good, payload: { text: "x".repeat(eventBytesMax) } }),
    "event_too_large",
    "",
  ],
];

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

describe("one bad event is refused by its code and pointer, and the events beside it are not", () => {
  it.each(refusals)("%s", async (_, event, code, pointer) => {
    const edge = await testEdge();
    const response = await edge.post(
      `{"events":[${json(good)}, ${event} ,${json({ ...good, event_id: "other" })}]}`,
    );
    expect(response.status).toBe(202);
    const answer = (await response.json()) as Answer;
    expect(answer).toMatchObject({ received: 3, accepted: 2, quarantined: 1 });
    expect(answer.errors).toEqual([{ index: 1, code, pointer, detail: expect.any(String) }]);
    // Kept whole: its very bytes travel with the reason.
    const [batch] = edge.collector.batches;
    expect(batch?.refusals).toEqual([
      expect.objectContaining({ index: 1, code, pointer, detail: expect.any(String) }),
    ]);
    expect(bodiesOf(batch!)[1]).toBe(event);
  });

  it.each(refusals.filter(([, event]) => !event.includes("\n")))(
    "%s, on a line of NDJSON",
    async (_, event, code, pointer) => {
      const edge = await testEdge();
      const body = `${json(good)}\n${event}\r\n\n{"type":\n`;
      const response = await edge.post(body, { "content-type": "application/x-ndjson" });
      const answer = (await response.json()) as Answer;
      expect(answer.errors).toMatchObject([
        { index: 1, code, pointer },
        { index: 2, code: "event_malformed", pointer: "" },
      ]);
      expect(bodiesOf(edge.collector.batches[0]!).slice(1)).toEqual([event, '{"type":']);
    },
  );

  it.each(['{"a":"', '{"a":12345678901234567890,"b":"x', '"', '["\\"', "{", '[{"', '{"a"'])(
    "the line %s, which ends too soon beside a number to look at",
    async (line) => {
      const edge = await testEdge();
      const body = `${line}\n${json({ ...good, payload: { n: 1 } }).replace('"n":1', '"n":1e+400')}\n${line}`;
      const response = await edge.post(body, { "content-type": "application/x-ndjson" });
      const answer = (await response.json()) as Answer;
      expect(answer.errors.map(({ code }) => code)).toEqual([
        "event_malformed",
        "number_not_representable",
        "event_malformed",
      ]);
    },
  );

  it("takes numbers that survive a double, however they are written", async () => {
    const edge = await testEdge();
    const numbers =
      "1.0,1e3,1E+2,100000000000000000000,0.30000000000000004,-0,9007199254740992,1.50000000000000000000";
    const response = await edge.post(
      `{"type":"t","payload":{"n":[${numbers}],"s":"12345678901234567890 1e400"}}`,
    );
    expect(await response.json()).toMatchObject({ accepted: 1 });
  });

  it("takes 32 levels", async () => {
    const edge = await testEdge();
    expect(await (await edge.post({ ...good, payload: nested(31) })).json()).toMatchObject({ accepted: 1 });
  });
});

describe("text that PostgreSQL cannot hold", () => {
  it.each([
    [
      "NUL",
      '{"type":"t","user_id":"a\\u0000b","payload":{"k\\u0000":["\\u0000"]}}',
      "a\ufffdb",
      '{"k\ufffd":["\ufffd"]}',
    ],
    [
      "a lone surrogate",
      '{"type":"t","user_id":"\\ud800","payload":{"k":"\\uDEAD!"}}',
      "\ufffd",
      '{"k":"\ufffd!"}',
    ],
  ])("is stored with U+FFFD and flagged: %s", async (_, event, userId, payload) => {
    const edge = await testEdge();
    expect(await (await edge.post(event)).json()).toMatchObject({ accepted: 1 });
    const batch = edge.collector.batches[0]!;
    expect(bodiesOf(batch)[0]).toMatchObject({ userId, payload });
    expect(batch.flags[0]! & flag.textReplaced).toBe(flag.textReplaced);
  });

  it("leaves pairs of surrogates and the text `\\u0000` as they are", async () => {
    const edge = await testEdge();
    await edge.post('{"type":"t","user_id":"\\ud83d\\ude00","payload":{"k":"\\\\u0000"}}');
    const batch = edge.collector.batches[0]!;
    expect(bodiesOf(batch)[0]).toMatchObject({ userId: "😀", payload: '{"k":"\\\\u0000"}' });
    expect(batch.flags[0]! & flag.textReplaced).toBe(0);
  });

  it("has its identity and fingerprint from the text as sent", async () => {
    const edge = await testEdge();
    const event = (id: string, text: string) => `{"event_id":"${id}","type":"t","payload":{"k":"${text}"}}`;
    await edge.post(
      `[${event("\\u0000", "a")},${event("\\ufffd", "a")},${event("x", "\\u0000")},${event("x", "\\ufffd")}]`,
    );
    const { hashes, fingerprints } = edge.collector.batches[0]!;
    expect(hashes.slice(0, 16)).not.toEqual(hashes.slice(16, 32));
    expect(hashes.slice(32, 48)).toEqual(hashes.slice(48, 64));
    expect(fingerprints.slice(16, 24)).not.toEqual(fingerprints.slice(24, 32));
  });
});

describe("`__proto__` inside an event", () => {
  it("is an ordinary key", async () => {
    const edge = await testEdge();
    const event =
      '{"type":"t","payload":{"__proto__":{"polluted":1},"constructor":{"prototype":{}}},"context":{"__proto__":null}}';
    expect(await (await edge.post(event)).json()).toMatchObject({ accepted: 1 });
    expect(bodiesOf(edge.collector.batches[0]!)[0]).toMatchObject({
      payload: '{"__proto__":{"polluted":1},"constructor":{"prototype":{}}}',
    });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("is one in msgpack too", async () => {
    const edge = await testEdge();
    const body = pack({ type: "t", payload: new Map([["__proto__", { polluted: 1 }]]) });
    await edge.post(body, { "content-type": "application/msgpack" });
    expect(bodiesOf(edge.collector.batches[0]!)[0]).toMatchObject({
      payload: '{"__proto__":{"polluted":1}}',
    });
  });
});

describe("a whole request is refused by a problem", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const packed = pack({ events: [good, good] });
  const msgpack = { "content-type": "application/msgpack" };
  const gzip = { "content-encoding": "gzip" };
  const cases: [string, unknown, Record<string, string>, number, string][] = [
    ["no JSON", "{", {}, 400, "body_malformed"],
    ["an empty body", "", {}, 400, "body_malformed"],
    ["a number", "1", {}, 400, "body_malformed"],
    ["no events", "[]", {}, 400, "body_malformed"],
    ["events that are no list", '{"events":{}}', {}, 400, "body_malformed"],
    ["a sent_at without offset", '{"sent_at":"2026-11-20T12:00:00","events":[]}', {}, 400, "body_malformed"],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), {}, 400, "body_malformed"],
    ["brackets without end", "[".repeat(1_000_000), {}, 400, "body_malformed"],
    ["cut-off msgpack", packed.subarray(0, packed.length - 1), msgpack, 400, "body_malformed"],
    ["msgpack and more", Uint8Array.of(...packed, 0xc0), msgpack, 400, "body_malformed"],
    [
      "a msgpack list that claims 2^32 elements",
      Uint8Array.of(0xdd, 255, 255, 255, 255),
      msgpack,
      400,
      "body_malformed",
    ],
    ["cut-off gzip", gzipSync(json([good])).subarray(0, 40), gzip, 400, "body_malformed"],
    ["no gzip", json([good]), gzip, 400, "body_malformed"],
    ["a gzip bomb", gzipSync(new Uint8Array(64 * bodyBytesMax)), gzip, 413, "body_too_large"],
    ["a gzip bomb without a header", gzipSync(new Uint8Array(64 * bodyBytesMax)), {}, 413, "body_too_large"],
    [
      "a body over the limit",
      bytes(`[${json({ ...good, payload: { x: "x".repeat(bodyBytesMax) } })}]`),
      {},
      413,
      "body_too_large",
    ],
    [
      "1,001 events",
      `[${Array(requestEventsMax + 1)
        .fill("1")
        .join(",")}]`,
      {},
      413,
      "too_many_events",
    ],
    [
      "1,001 lines",
      "{\n".repeat(requestEventsMax + 1),
      { "content-type": "application/x-ndjson" },
      413,
      "too_many_events",
    ],
    ["1,001 packed events", pack(Array(requestEventsMax + 1).fill(1)), msgpack, 413, "too_many_events"],
    [
      "another type",
      "a=b",
      { "content-type": "application/x-www-form-urlencoded" },
      415,
      "unsupported_media_type",
    ],
    ["another encoding", "[]", { "content-encoding": "br" }, 415, "unsupported_encoding"],
    ["a wrong key", json([good]), { authorization: "Bearer wrong" }, 401, "unknown_write_key"],
    ["no key", json([good]), { authorization: "" }, 401, "unknown_write_key"],
    [
      "a wrong key in the body",
      json({ write_key: "no", events: [good] }),
      { authorization: "" },
      401,
      "unknown_write_key",
    ],
  ];
  it.each(cases)("%s", async (_, body, headers, status, code) => {
    const edge = await testEdge();
    const response = await edge.post(body, headers);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      status,
      "application/problem+json",
    ]);
    expect(await response.json()).toMatchObject({ code, status, retryable: false });
    expect(edge.collector.batches).toEqual([]);
  });

  it("cuts off a body of 1 GB without gathering it", async () => {
    const edge = await testEdge();
    const chunk = new Uint8Array(256 * 1024).fill(0x20);
    let sent = 0;
    let isCancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length;
        if (sent > 1024 ** 3) controller.close();
        else controller.enqueue(chunk);
      },
      cancel() {
        isCancelled = true;
      },
    });
    const response = await edge.post(stream);
    expect(response.status).toBe(413);
    expect(sent).toBeLessThan(4 * bodyBytesMax);
    expect(isCancelled).toBe(true);
  });
});

describe("msgpack", () => {
  const event = { type: "t", payload: {} };
  const cases: [string, unknown, string, string][] = [
    [
      "an integer beyond 2^53",
      { ...event, payload: { n: 2n ** 53n + 1n } },
      "number_not_representable",
      "/payload/n",
    ],
    [
      "a negative one",
      { ...event, payload: { n: [-(2n ** 60n) - 1n] } },
      "number_not_representable",
      "/payload/n/0",
    ],
    ["no number", { ...event, payload: { n: Number.NaN } }, "number_not_representable", "/payload/n"],
    ["bytes", { ...event, payload: { b: new Uint8Array(3) } }, "invalid_type", "/payload/b"],
    ["a date", { ...event, payload: { d: new Date(0) } }, "invalid_type", "/payload/d"],
    ["a number as key", { ...event, payload: new Map([[1, 2]]) }, "invalid_type", "/payload"],
    ["levels beyond the limit", { ...event, payload: nested(40) }, "nesting_too_deep", ""],
    ["no map", 7, "invalid_type", ""],
  ];
  it.each(cases)("is refused with %s, one event alone", async (_, bad, code, pointer) => {
    const edge = await testEdge();
    const body = pack({ events: [good, bad, good], sent_at: now });
    const answer = (await (
      await edge.post(body, { "content-type": "application/x-msgpack" })
    ).json()) as Answer;
    expect(answer.errors).toMatchObject([{ index: 1, code, pointer }]);
    const batch = edge.collector.batches[0]!;
    const from = batch.sizes[0]!;
    expect([...batch.bodies.subarray(from, from + batch.sizes[1]!)]).toEqual([...pack(bad)]);
  });

  it("gives what the same events in JSON give", async () => {
    const edge = await testEdge();
    const events = [
      { ...good, payload: { i: 3, n: -1.25, big: 2 ** 40, t: "é😀", l: [true, null, "x".repeat(300)] } },
    ];
    await edge.post(pack({ events, sent_at: now - 5 }), {
      "content-type": "application/msgpack",
      "x-request-id": "r",
    });
    await edge.post({ events, sent_at: now - 5 }, { "x-request-id": "r" });
    const [packed, text] = edge.collector.batches;
    expect(bodiesOf(packed!)).toEqual(bodiesOf(text!));
    expect(packed!.fingerprints).toEqual(text!.fingerprints);
    expect(packed!.ids).toEqual(text!.ids);
  });
});
