// How often something is tried, how long between, and when it is given up.
import { describe, expect, it } from "vitest";
import type { Clock } from "../../shared/clock.ts";
import { backoffMs, type RetryPolicy, retry } from "../../shared/retry.ts";
import { manualClock } from "../support/clock.ts";

const policy: RetryPolicy = { attemptsMax: 4, baseMs: 100, waitMsMax: 250 };

/** A clock whose waits end at once and are noted, with the given bytes for randomness. */
function hurried(byte: number): Clock & { waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => 0,
    random: (bytes) => new Uint8Array(bytes).fill(byte),
    sleep: async (ms) => void waits.push(ms),
  };
}

describe("a wait", () => {
  it.each([
    [2, 0xff, 0, 100],
    [3, 0xff, 0, 200],
    [4, 0xff, 0, 250],
    [9, 0xff, 0, 250],
    [2, 0x00, 0, 0],
    [2, 0x00, 3_000, 3_000],
    [2, 0xff, 3_000, 3_100],
  ])(
    "before attempt %i, with random bytes %i and Retry-After %i ms, is %i ms",
    (attempt, byte, floor, expected) => {
      expect(backoffMs(policy, attempt, hurried(byte), floor)).toBe(expected);
    },
  );

  it("is spread over the whole of its range", () => {
    const clock = manualClock();
    const waits = Array.from({ length: 1_000 }, () => backoffMs(policy, 2, clock));
    expect(Math.min(...waits)).toBeLessThan(10);
    expect(Math.max(...waits)).toBeGreaterThan(90);
    expect(waits.every((wait) => wait >= 0 && wait <= 100)).toBe(true);
  });
});

describe("work", () => {
  const failing = (times: number) => async (attempt: number) => {
    if (attempt <= times) throw new Error(`attempt ${attempt}`);
    return attempt;
  };

  it("is done once where it succeeds", async () => {
    const clock = hurried(0xff);
    expect(await retry(policy, clock, failing(0), () => true)).toBe(1);
    expect(clock.waits).toEqual([]);
  });

  it("is repeated until it succeeds", async () => {
    const clock = hurried(0xff);
    expect(await retry(policy, clock, failing(3), () => true)).toBe(4);
    expect(clock.waits).toEqual([100, 200, 250]);
  });

  it("is given up after the last attempt, with that attempt's error", async () => {
    const clock = hurried(0xff);
    await expect(retry(policy, clock, failing(9), () => true)).rejects.toThrow("attempt 4");
    expect(clock.waits).toHaveLength(3);
  });

  it("is given up at once where the error is final", async () => {
    const clock = hurried(0xff);
    await expect(retry(policy, clock, failing(9), () => false)).rejects.toThrow("attempt 1");
    expect(clock.waits).toEqual([]);
  });

  it("waits at least as long as it is told", async () => {
    const clock = hurried(0x00);
    await retry(policy, clock, failing(1), () => ({ retryAfterMs: 5_000 }));
    expect(clock.waits).toEqual([5_000]);
  });
});
