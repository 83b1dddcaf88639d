// The real clock's waits: they end when their time has come, or at once when they are called off.
import { expect, it } from "vitest";
import { systemClock } from "../../shared/clock.ts";

it("waits at least as long as it is asked to", async () => {
  const began = performance.now();
  await systemClock.sleep(20);
  expect(performance.now() - began).toBeGreaterThan(18);
});

it("ends a wait that is called off, before it or during it", async () => {
  const caller = new AbortController();
  const during = systemClock.sleep(600_000, caller.signal);
  caller.abort();
  await during;
  await systemClock.sleep(600_000, caller.signal);
});

it("draws other bytes each time", () => {
  const [one, other] = [systemClock.random(16), systemClock.random(16)];
  expect(one).toHaveLength(16);
  expect(one).not.toEqual(other);
});
