// Plausible's events: what they become, told apart by their arrival alone.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../../edge/keys.ts";
import { aliasText } from "../../../shared/event/write-key.ts";
import { WeirError } from "../../../shared/problem.ts";
import { bodiesOf, keyOf, testEdge } from "../support.ts";
import { bytesOf, changed, fuzz, fuzzMs, jsonWith, type Sent } from "./fuzz.ts";

const path = "/api/event";
const domain = "shop.example";
const view = { n: "pageview", v: 36, u: "https://shop.example/a", d: domain, r: null };

async function sent(body: unknown) {
  const edge = await testEdge({ keys: fixedKeys([await keyOf(aliasText(domain))]) });
  const response = await edge.post(body, { authorization: "", "content-type": "text/plain" }, path);
  return {
    edge,
    response,
    events: edge.collector.batches.flatMap(bodiesOf),
    batches: edge.collector.batches,
  };
}

describe("an event of Plausible's", () => {
  it.each<[string, unknown, object, unknown, unknown]>([
    [
      "a page view",
      view,
      { type: "page_view" },
      { url: view.u },
      { tracker_version: 36, domain, source_type: "pageview" },
    ],
    [
      "a goal with properties and money",
      { ...view, n: "bought", p: { plan: "pro" }, $: { amount: "12.50", currency: "EUR" }, i: false, h: 1 },
      { type: "bought", revenue: "12.50", currency: "EUR" },
      { plan: "pro", revenue: "12.50", currency: "EUR" },
      {
        tracker_version: 36,
        domain,
        interactive: false,
        hash_routing: 1,
        page: { url: view.u },
        source_type: "bought",
      },
    ],
    [
      "an engagement",
      { n: "engagement", sd: 40, d: domain, u: view.u, e: 3200, v: 36 },
      { type: "engagement" },
      { url: view.u, scroll_depth: 40, engaged_ms: 3200 },
      { tracker_version: 36, domain, source_type: "engagement" },
    ],
    [
      "an older script's",
      { n: "bought", d: domain, u: view.u, p: '{"plan":"pro"}', w: 800 },
      { type: "bought" },
      { plan: "pro" },
      { screen_width: 800, domain, page: { url: view.u }, source_type: "bought" },
    ],
    [
      "one by its documented names",
      { name: "pageview", domain, url: view.u, referrer: "https://a.example", props: { a: 1 } },
      { type: "page_view" },
      { url: view.u, referrer: "https://a.example", a: 1 },
      { domain, source_type: "pageview" },
    ],
  ])("that is %s", async (_, body, stored, payload, context) => {
    const { response, events, batches } = await sent(JSON.stringify(body));
    expect([response.status, await response.text()]).toEqual([202, "ok"]);
    expect(batches[0]!.project).toBe("shop");
    expect(events).toMatchObject([{ identity: "arrival", clientTime: null, ...stored }]);
    const { payload: said, context: about } = events[0] as { payload: string; context: string };
    const { request_id: _id, ...rest } = JSON.parse(about) as Record<string, unknown>;
    expect([JSON.parse(said), rest]).toEqual([payload, context]);
  });

  it("twice is two events, for two equal page views are two", async () => {
    const { edge, batches } = await sent(JSON.stringify(view));
    await edge.post(JSON.stringify(view), { authorization: "", "content-type": "text/plain" }, path);
    expect(batches[1]!.hashes).not.toEqual(batches[0]!.hashes);
  });
});

describe("bad input", () => {
  it.each<[string, object, string, string]>([
    ["no name", { n: undefined }, "missing_field", "/name"],
    ["a name that is none", { n: 7 }, "invalid_type", "/n"],
    ["properties that are none", { p: "[1]" }, "invalid_type", "/p"],
    ["properties that are no JSON", { p: "{" }, "invalid_value", "/p"],
    ["money that is none", { $: { amount: "much" } }, "invalid_value", "/$/amount"],
    ["endless properties", { p: { a: "x".repeat(70_000) } }, "event_too_large", ""],
  ])("%s is quarantined whole", async (_, change, code, pointer) => {
    const bad = JSON.stringify({ ...view, ...change });
    const { response, events, batches } = await sent(bad);
    expect(response.status).toBe(202);
    expect(batches[0]!.refusals).toMatchObject([{ code, pointer }]);
    expect(events).toEqual([bad]);
  });

  it.each<[string, string, number, string]>([
    ["no JSON", "{", 400, "body_malformed"],
    ["nothing", "[]", 401, "unknown_write_key"],
    ["an unknown domain", JSON.stringify({ ...view, d: "no.example" }), 401, "unknown_write_key"],
    ["two domains", JSON.stringify([view, { ...view, d: "b.example" }]), 400, "body_malformed"],
    ["a huge body", JSON.stringify({ ...view, r: "x".repeat(1 << 20) }), 413, "body_too_large"],
  ])("%s is refused whole", async (_, body, status, code) => {
    const { response } = await sent(body);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it("of ours is never called safe", async () => {
    const { edge } = await sent(JSON.stringify(view));
    edge.collector.before = async () => {
      throw new WeirError("log_unavailable", "for a while");
    };
    const response = await edge.post(JSON.stringify(view), { authorization: "" }, path);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  });

  const names = [...Object.keys(view), "p", "$", "sd", "e", "name", "domain", "props", "revenue", "amount"];
  const full = { ...view, p: { a: 1 }, $: { amount: 1, currency: "EUR" } };
  const json = fc.oneof(
    changed(full, names),
    fc.array(changed(full, names), { maxLength: 3 }),
    jsonWith(names),
  );
  const request: fc.Arbitrary<Sent> = fc.record({
    path: fc.constant(path),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { authorization: "" },
      { "content-type": "text/plain" },
    ),
    body: bytesOf(json.map((value) => JSON.stringify(value))),
  });
  it(
    "of any kind is answered as it should be, and every event has its outcome",
    async () => {
      await fuzz("Plausible", request, (status) => status === 202, [400, 401, 413], [domain]);
    },
    fuzzMs,
  );
});
