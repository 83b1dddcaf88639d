// How the bounds hang together: each lies on the right side of those it was reckoned from.
import { expect, it } from "vitest";
import * as named from "../../shared/limits.ts";

const limits: Readonly<Record<keyof typeof named, number>> = { ...named };
const order: [smaller: keyof typeof limits, larger: keyof typeof limits, why: string][] = [
  ["eventBytesMax", "bodyBytesMax", "a request holds the largest event"],
  ["eventBytesMax", "batchBytesMax", "a batch holds the largest event"],
  ["bodyBytesMax", "batchBytesMax", "what came in one request is cut by count alone"],
  ["batchBytesMax", "recordBytesMax", "a record holds a batch and its receipt"],
  ["batchEventsMax", "writeEventsMax", "a write holds a whole batch"],
  ["claimDeadlineMs", "publishDeadlineMs", "claims never hold a publish up for long"],
  ["publishDeadlineMs", "forwardDeadlineMs", "an edge waits for a publish that may still succeed"],
  ["forwardDeadlineMs", "forwardBudgetMs", "there is time for a second attempt"],
  ["forwardBudgetMs", "claimLeaseMs", "a resend finds the claim of its first attempt"],
  ["claimLeaseMs", "claimDoneMs", "a done claim outlasts any lease"],
  ["clockWrongMs", "timeBackMs", "a clock that is a little wrong moves nothing"],
  ["batchWaitMs", "writeWaitMs", "edges wait less than writers"],
];

it.each(order)("%s is below %s: %s", (smaller, larger) => {
  expect(limits[smaller]).toBeLessThan(limits[larger]);
});

it("lets a claim's lease outlast two publishes", () => {
  expect(limits.claimLeaseMs).toBeGreaterThan(2 * limits.publishDeadlineMs);
});

it("lets one request become two full batches at most", () => {
  expect(limits.requestEventsMax).toBeLessThanOrEqual(2 * limits.batchEventsMax);
});

it("has whole, positive numbers alone", () => {
  const odd = Object.entries(limits).filter(([, value]) => !Number.isSafeInteger(value) || value <= 0);
  expect(odd).toEqual([]);
});
