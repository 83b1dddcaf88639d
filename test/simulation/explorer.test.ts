// Every state of small worlds under the product's own rules, and the same with each rule broken in turn.
import { describe, expect, it } from "vitest";
import { explore } from "./explorer.ts";
import { castOf, mutants, sound } from "./rules.ts";

const statesMax = 400_000;
const minute = 60_000;

describe("a small world, seen whole,", () => {
  it.each([
    ["one batch sent twice, two aggregators, a fault", castOf("one", [2, 2, 1])],
    ["two copies, two faults", castOf("same", [1, 1, 2])],
    ["two contents, two faults", castOf("other", [1, 1, 2])],
    ["a moved copy, two aggregators, a fault", castOf("moved", [1, 2, 1])],
    ["two copies and spools, a fault", castOf("same", [1, 1, 1], true)],
  ] as const)(
    "has no state that may not be: %s",
    async (_, cast) => {
      const { states, violation, isWhole } = await explore(cast, sound, statesMax);
      expect(violation?.steps).toBeUndefined();
      expect(isWhole, `${states} states`).toBe(true);
    },
    minute,
  );
});

describe("a world without one of its rules", () => {
  it.each(Object.entries(mutants))(
    "is found out: %s",
    async (_, { rules, cast }) => {
      const { violation } = await explore(cast, { ...sound, ...rules }, statesMax);
      expect(violation).toBeDefined();
    },
    minute,
  );
});
