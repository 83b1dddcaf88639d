// Positions against a log as it was seen: which are outside it, and when one at its end is to look again.
import { describe, expect, it } from "vitest";
import { isDoubtful, type LogLook, outsideOf } from "../../aggregator/outside.ts";

const seen = (start: bigint, end: bigint, term?: number): LogLook => ({
  identity: { id: "a", topic: "events", partitions: 1 },
  ranges: new Map([[0, { start, end, term }]]),
});
const at = (next: bigint) => new Map([[0, next]]);

describe("a position", () => {
  it.each([
    ["before the first record", 1n, [{ partition: 0, from: 1n, to: 3n }]],
    ["at the first record", 3n, []],
    ["at the end", 5n, []],
    ["beyond the end", 7n, [{ partition: 0, from: 7n, to: 5n }]],
  ])("%s is outside, or not", (_, next, spans) => {
    expect(outsideOf(at(next), seen(3n, 5n))).toEqual(spans);
  });

  it.each([
    ["at the end, where another keeps the log now", 5n, seen(3n, 5n, 2), true],
    ["at the end, where the same keeps it", 5n, seen(3n, 5n, 1), false],
    ["before the end, where what follows tells", 4n, seen(3n, 5n, 2), false],
    ["of another partition's log", 5n, { ...seen(3n, 5n), ranges: new Map() }, false],
  ])("%s is doubtful, or not", (_, next, now, isSo) => {
    expect(isDoubtful(at(next), now, seen(3n, 5n, 1))).toBe(isSo);
  });

  it("is never doubtful where the log tells of no keeper", () => {
    expect(isDoubtful(at(5n), seen(3n, 5n), seen(3n, 5n))).toBe(false);
  });
});
