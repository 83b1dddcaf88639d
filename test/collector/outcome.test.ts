// The table of what is done with each event, cell by cell.
import { describe, expect, it } from "vitest";
import { claimFound } from "../../collector/claims/claims.ts";
import { decide, refusedIn } from "../../collector/outcome.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { batchOf } from "./batches.ts";

const { nothing, pending, doneSameBatch, doneSameContent, doneOtherContent } = claimFound;
const { published, inDoubt, unchecked, duplicate, refused } = outcome;

const decided = (found: number[] | undefined, refusedMask = found?.map(() => 0) ?? [0, 0]) => {
  const decision = decide(
    Uint8Array.from(refusedMask),
    found === undefined ? undefined : Uint8Array.from(found),
  );
  return { outcomes: [...decision.outcomes], isLogged: decision.isLogged };
};

describe("an event is", () => {
  it.each([
    ["published where nothing was found", nothing, published],
    ["published in doubt where it is pending", pending, inDoubt],
    ["a duplicate where the log has its content", doneSameContent, duplicate],
    ["published in doubt where the log has another content", doneOtherContent, inDoubt],
    ["published in doubt for a code from nowhere", 9, inDoubt],
  ])("%s", (_, found, expected) => {
    expect(decided([found])).toEqual({ outcomes: [expected], isLogged: false });
    // Beside every other event of a batch that the log does not have, it is the same.
    for (const beside of [nothing, pending, doneSameContent, doneOtherContent]) {
      expect(decided([beside, found]).outcomes[1]).toBe(expected);
      expect(decided([found, beside]).outcomes[0]).toBe(expected);
    }
  });

  it("published unchecked where the claims did not answer", () => {
    expect(decided(undefined)).toEqual({ outcomes: [unchecked, unchecked], isLogged: false });
    // Too short an answer never makes a duplicate.
    expect(decide(new Uint8Array(2), new Uint8Array(0)).outcomes).toEqual(
      Uint8Array.from([inDoubt, inDoubt]),
    );
  });

  it("refused where the edge refused it, whatever was found", () => {
    expect(decided([nothing, doneSameContent], [1, 0, 1, 0, 1])).toEqual({
      outcomes: [refused, published, refused, duplicate, refused],
      isLogged: false,
    });
    expect(decided(undefined, [0, 1])).toEqual({ outcomes: [unchecked, refused], isLogged: false });
    expect(decided([], [1, 1])).toEqual({ outcomes: [refused, refused], isLogged: false });
    expect(decided([doneSameBatch], [1, 0])).toEqual({ outcomes: [refused, published], isLogged: true });
  });
});

describe("a batch with one event done by itself", () => {
  it.each([
    ["its own", doneSameBatch, published],
    ["another's same content", doneSameContent, duplicate],
    ["another's other content", doneOtherContent, published],
    ["pending", pending, published],
    ["nothing", nothing, published],
    ["a code from nowhere", 200, published],
  ])("is in the log, and an event found as %s answered so", (_, found, expected) => {
    expect(decided([doneSameBatch, found])).toEqual({ outcomes: [published, expected], isLogged: true });
    expect(decided([found, doneSameBatch])).toEqual({ outcomes: [expected, published], isLogged: true });
  });
});

it("marks each refused event once, however often it is named", () => {
  const batch = batchOf(1, [{ identity: 1 }, { identity: 2, refused: "invalid_type" }, { identity: 3 }]);
  const twice = { ...batch, refusals: [...batch.refusals, ...batch.refusals] };
  expect([...refusedIn(twice)]).toEqual([0, 1, 0]);
});
