// The Measurement Protocol of Google Analytics 4, from its documents: it has no client to run.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WeirError } from "../../../shared/problem.ts";
import { bodiesOf, now, testEdge, writeKey } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";

const path = `/mp/collect?measurement_id=G-1&api_secret=${writeKey}`;
const common = { client_id: "c.1", user_id: "u1", timestamp_micros: String((now - 1000) * 1000) };
const view = {
  name: "page_view",
  params: { page_location: "https://shop.example/", session_id: 17, engagement_time_msec: 5 },
};
const purchase = { name: "purchase", params: { transaction_id: "t1", value: 20.5, currency: "EUR" } };

async function sent(body: unknown, at = path) {
  const edge = await testEdge();
  const response = await edge.post(body, { authorization: "", "x-request-id": "r" }, at);
  return {
    edge,
    response,
    events: edge.collector.batches.flatMap(bodiesOf),
    batches: edge.collector.batches,
  };
}

describe("an event of the Measurement Protocol", () => {
  it("has what its body says of all, and is told apart by its content", async () => {
    const { response, events } = await sent({ ...common, events: [view] });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(events).toMatchObject([
      {
        identity: "content",
        type: "page_view",
        userId: "u1",
        anonymousId: "c.1",
        sessionId: "17",
        clientTime: now - 1000,
        payload: '{"engagement_time_msec":5,"page_location":"https://shop.example/"}',
        context: '{"source_type":"page_view","request_id":"r"}',
      },
    ]);
  });

  it("sent twice is one, and a purchase is one by its transaction", async () => {
    const other = { ...common, timestamp_micros: (now - 10) * 1000 };
    const { batches } = await sent({ ...common, events: [view, purchase] });
    const again = await sent({ ...common, events: [view, purchase] });
    const later = await sent({ ...other, events: [view, purchase] });
    expect(again.batches[0]!.hashes).toEqual(batches[0]!.hashes);
    expect(later.batches[0]!.hashes.subarray(0, 16)).not.toEqual(batches[0]!.hashes.subarray(0, 16));
    expect(later.batches[0]!.hashes.subarray(16)).toEqual(batches[0]!.hashes.subarray(16));
    expect(later.events[1]).toMatchObject({ eventId: "purchase t1", revenue: "20.5", currency: "EUR" });
  });

  it("without a time is told apart by its arrival, and a refund takes money back", async () => {
    const refund = { ...purchase, name: "refund" };
    const { events } = await sent({ client_id: "c.1", events: [view, refund] });
    expect(events).toMatchObject([{ identity: "arrival" }, { eventId: "refund t1", revenue: "-20.5" }]);
  });

  it("may have a time of its own", async () => {
    const { events } = await sent({
      ...common,
      events: [{ ...view, timestamp_micros: (now - 7000) * 1000 }],
    });
    expect(events).toMatchObject([{ clientTime: now - 7000 }]);
  });
});

describe("bad input", () => {
  it.each<[string, object, string, string]>([
    ["no name", { params: {} }, "missing_field", "/name"],
    ["params that are none", { name: "a", params: [1] }, "invalid_type", "/params"],
    [
      "a value that is none",
      { name: "purchase", params: { value: "much" } },
      "invalid_value",
      "/params/value",
    ],
    ["a time ahead", { name: "a", timestamp_micros: (now + 9e6) * 1000 }, "time_ahead", "/timestamp_micros"],
    ["endless params", { name: "a", params: { a: "x".repeat(70_000) } }, "event_too_large", ""],
  ])("%s is quarantined with all that its body said of it", async (_, bad, code, pointer) => {
    const { response, events, batches } = await sent({ ...common, events: [view, bad] });
    expect(response.status).toBe(204);
    expect(batches[0]!.refusals).toMatchObject([{ index: 1, code, pointer }]);
    expect(JSON.parse(events[1] as string)).toEqual(pointer === "" ? bad : { ...common, ...bad });
  });

  it.each<[string, string, string, number, string]>([
    ["no JSON", "{", path, 400, "body_malformed"],
    ["no events", JSON.stringify(common), path, 400, "body_malformed"],
    [
      "a client id that no double holds",
      '{"client_id":12345678901234567890,"events":[{"name":"a"}]}',
      path,
      400,
      "body_malformed",
    ],
    [
      "an unknown secret",
      JSON.stringify({ events: [view] }),
      "/mp/collect?api_secret=no",
      401,
      "unknown_write_key",
    ],
    ["too many", JSON.stringify({ events: Array(2501).fill(view) }), path, 413, "too_many_events"],
  ])("%s is refused whole", async (_, body, at, status, code) => {
    const { response } = await sent(body, at);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it("of ours is never called safe", async () => {
    const { edge } = await sent({ events: [view] });
    edge.collector.before = async () => {
      throw new WeirError("log_unavailable", "for a while");
    };
    expect((await edge.post({ events: [view] }, { authorization: "" }, path)).status).toBe(503);
  });

  const names = [
    ...Object.keys(common),
    "name",
    "params",
    "events",
    "transaction_id",
    "value",
    "user_location",
    "session_id",
  ];
  const one = fc.oneof(changed(view, names), changed(purchase, names));
  const body = fc
    .tuple(changed(common, names), fc.array(one, { maxLength: 3 }))
    .map(([said, events]) => ({ ...(said as object), events }));
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constantFrom(path, "/mp/collect"),
    headers: fc.constantFrom<Record<string, string>>({}, { authorization: "" }),
    body: bytesOf(
      fc
        .oneof({ weight: 4, arbitrary: body }, { weight: 1, arbitrary: jsonWith(names) })
        .map((value) => JSON.stringify(value)),
    ),
  });
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("the Measurement Protocol", request, (status) => status === 204, [400, 401, 413]);
    },
    fuzzMs,
  );
});
