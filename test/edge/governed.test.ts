// What an edge says of the payloads of governed types.
import { describe, expect, it } from "vitest";
import { governTypes } from "../../edge/governed.ts";
import { fixedKeys } from "../../edge/keys.ts";
import type { GovernedType } from "../../shared/event/governed.ts";
import { type Policy, policyShape } from "../../shared/event/policy.ts";
import type { KeySource } from "../../shared/event/write-key.ts";
import { bodiesOf, keyOf, now, testEdge, writeKey } from "./support.ts";

const purchase: GovernedType = {
  type: "purchase",
  version: 2,
  identity: null,
  payload: {
    properties: {
      sku: { type: "string", maxLength: 4 },
      count: { type: "integer", minimum: 1 },
      "a/b é": { type: "object", properties: { x: { enum: ["a", 1] } } },
      tags: { type: "array", items: { $ref: "#/$defs/tag" } },
    },
    required: ["sku"],
    additionalProperties: false,
    $defs: { tag: { type: "string", pattern: "^[a-z]+$" } },
  },
};
const ping: GovernedType = {
  type: "ping",
  version: 1,
  identity: { window_ms: 60_000, discriminator: "n" },
  payload: {},
};
const broken: GovernedType = { ...ping, type: "broken", identity: null, payload: { $ref: "#/nowhere" } };

const governed = governTypes([purchase, ping, broken]);

function judge(payload: Readonly<Record<string, unknown>>, type = "purchase", version = 2) {
  const found = governed.find(type, version);
  if (found === undefined || found === "unknown") throw new Error(String(found));
  return found.fault(payload);
}

describe("a governed type", () => {
  it.each([
    ["all members", { sku: "ab", count: 1, tags: ["x"], "a/b é": { x: 1 } }],
    ["the needed ones alone", { sku: "ab" }],
  ])("lets a payload with %s by", (_, payload) => expect(judge(payload)).toBeUndefined());

  it.each([
    ["a missing member", {}, "/payload"],
    ["a member of another type", { sku: 5 }, "/payload/sku"],
    ["a member too long", { sku: "abcde" }, "/payload/sku"],
    ["a number too small", { sku: "a", count: 0 }, "/payload/count"],
    ["an unknown member", { sku: "a", "q%zz": 1 }, "/payload/q%zz"],
    ["a value that is not listed", { sku: "a", "a/b é": { x: "c" } }, "/payload/a~1b é/x"],
    ["an element of another form", { sku: "a", tags: ["ok", "NO"] }, "/payload/tags/1"],
  ])("refuses %s, and points at it", (_, payload, pointer) => {
    const fault = judge(payload);
    expect(fault).toMatchObject({ code: "schema_violation", pointer });
    expect(fault?.detail).not.toMatch(/abcde|NO|undefined/);
  });

  it("refuses all where its schema cannot be read", () => {
    expect(judge({}, "broken", 1)).toMatchObject({ code: "schema_violation", pointer: "/payload" });
  });

  it("is known by type and version", () => {
    expect(governed.find("purchase", 1)).toBe("unknown");
    expect(governed.find("visit", 1)).toBeUndefined();
    expect(governed.find("ping", 1)).toMatchObject({ window: { ms: 60_000, discriminator: "n" } });
  });
});

describe("an edge with governed types", () => {
  const project = (governed_types: readonly GovernedType[]): Record<string, Policy> => ({
    shop: policyShape.parse({ governed_types }),
  });
  const sent = (count: number) => ({ user_id: "u", type: "ping", timestamp: now, payload: { n: 1, count } });

  it("refuses what a schema does not allow, whole and by its name", async () => {
    const edge = await testEdge({ keys: fixedKeys([await keyOf(writeKey)], project([purchase])) });
    const answered = await edge.post([
      { type: "purchase", version: 2, event_id: "a", payload: { sku: "ok" } },
      { type: "purchase", version: 2, event_id: "b", payload: { sku: 7 } },
      { type: "purchase", event_id: "c", payload: { sku: 7 } },
      { type: "visit", event_id: "d", payload: { sku: 7 } },
    ]);
    expect(await answered.json()).toMatchObject({
      accepted: 2,
      quarantined: 2,
      errors: [
        { index: 1, code: "schema_violation", pointer: "/payload/sku" },
        { index: 2, code: "version_unknown", pointer: "/version" },
      ],
    });
    expect(bodiesOf(edge.collector.batches[0]!)[1]).toContain('"sku":7');
  });

  it("makes one event of a window, told apart as its schema says", async () => {
    const edge = await testEdge({ keys: fixedKeys([await keyOf(writeKey)], project([ping])) });
    const other = { ...sent(3), payload: { n: 2 } };
    const later = { ...sent(1), timestamp: now + 60_000 };
    const answered = await edge.post([sent(1), sent(2), other, later]);
    expect(await answered.json()).toMatchObject({ received: 4, accepted: 3, duplicate: 1 });
  });

  it("asks for a version it does not know, and answers 503 while nobody tells", async () => {
    const key = await keyOf(writeKey);
    let [told, answers] = [project([ping]), false];
    const source: KeySource = {
      ...fixedKeys([key]),
      policyOf: (name) => told[name],
      async renew() {
        if (answers) told = project([ping, { ...ping, version: 2 }]);
        return answers;
      },
    };
    const edge = await testEdge({ keys: source });
    const event = { ...sent(1), version: 2 };
    const early = await edge.post([event]);
    expect([early.status, await early.json()]).toMatchObject([503, { code: "not_ready", retryable: true }]);
    expect(edge.collector.batches).toHaveLength(0);
    answers = true;
    const late = await edge.post([event, { ...event, version: 3 }]);
    expect(await late.json()).toMatchObject({ accepted: 1, errors: [{ index: 1, code: "version_unknown" }] });
  });
});
