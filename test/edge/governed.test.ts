// What an edge says of the payloads of governed types.
import { describe, expect, it } from "vitest";
import { governTypes } from "../../edge/governed.ts";
import type { GovernedType } from "../../shared/event/governed.ts";

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
