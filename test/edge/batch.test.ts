// Group commit: which requests share a batch, where they are cut, and what is refused before it is sent.
import { describe, expect, it } from "vitest";
import { createAccept, type Submission } from "../../edge/accept.ts";
import { hash } from "../../edge/adapter/bun.ts";
import { native } from "../../edge/dialect/native.ts";
import { batchBytesMax, batchEventsMax, batchesInFlightMax, batchWaitMs } from "../../shared/limits.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { outcome, packBatch } from "../../shared/wire/batch.ts";
import { manualClock } from "../support/clock.ts";
import { fakeCollector, now } from "./support.ts";

function pipeline(groupCommit = true) {
  const collector = fakeCollector();
  const clock = manualClock(now);
  const accept = createAccept({
    name: "edge-1",
    collector,
    clock,
    hash,
    meter: silentMeter,
    logger: silentLogger,
    groupCommit,
  });
  const submission = (count: number, project = "shop", payload = "x"): Submission => ({
    project,
    rights: [],
    dialect: native,
    events: Array.from({ length: count }, (_, index) => ({
      type: "t",
      event_id: crypto.randomUUID(),
      payload: { index, payload },
    })),
    original: () => new Uint8Array(),
    receivedAt: clock.now(),
  });
  return { collector, clock, accept, submission };
}

/** Lets every promise that can go on go on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A collector that keeps its batches until they are let go. */
function holdBack(collector: ReturnType<typeof fakeCollector>) {
  const waiting: { batch: Batch; go: () => void; fail: (error: unknown) => void }[] = [];
  collector.before = (batch) => new Promise((go, fail) => void waiting.push({ batch, go, fail }));
  return waiting;
}

describe("group commit", () => {
  it("sends a lone request at once", async () => {
    const { accept, submission, collector } = pipeline();
    await accept.submit(submission(3));
    expect(collector.batches.map(({ count }) => count)).toEqual([3]);
  });

  it("gathers what comes while a batch is on its way, until the wait is over", async () => {
    const { accept, submission, collector, clock } = pipeline();
    const waiting = holdBack(collector);
    const first = accept.submit(submission(1));
    await settled();
    const second = accept.submit(submission(2));
    const third = accept.submit(submission(3));
    const other = accept.submit(submission(4, "other"));
    await settled();
    expect(waiting.map(({ batch }) => [batch.project, batch.count])).toEqual([
      ["shop", 1],
      ["other", 4],
    ]);
    await clock.advance(batchWaitMs);
    await settled();
    expect(waiting.map(({ batch }) => batch.count)).toEqual([1, 4, 5]);
    for (const { go } of waiting) go();
    const [one, two, three] = await Promise.all([first, second, third, other]);
    expect(two.parts[0]!.batchId).toEqual(three.parts[0]!.batchId);
    expect(one.parts[0]!.batchId).not.toEqual(two.parts[0]!.batchId);
    expect([two, three].map(({ parts }) => parts[0]!.outcomes.length)).toEqual([2, 3]);
  });

  it("gives each request its own outcomes", async () => {
    const { accept, submission, collector, clock } = pipeline();
    const waiting = holdBack(collector);
    const first = accept.submit(submission(1));
    await settled();
    const twice = submission(1);
    const both = [
      accept.submit(twice),
      accept.submit({ ...twice, events: [...twice.events, ...twice.events] }),
    ];
    await settled();
    await clock.advance(batchWaitMs);
    await settled();
    for (const { go } of waiting) go();
    await first;
    const outcomes = (await Promise.all(both)).map(({ parts }) => [...parts[0]!.outcomes]);
    expect(outcomes).toEqual([[outcome.published], [outcome.duplicate, outcome.duplicate]]);
  });

  it("cuts a large request, each part under its own batch id", async () => {
    const { accept, submission, collector } = pipeline();
    const { parts } = await accept.submit(submission(2 * batchEventsMax + 1));
    expect(parts.map(({ from, outcomes }) => [from, outcomes.length])).toEqual([
      [0, 500],
      [500, 500],
      [1000, 1],
    ]);
    expect(new Set(parts.map(({ batchId }) => String(batchId))).size).toBe(3);
    expect(collector.batches.map(({ batchId }) => batchId)).toEqual(parts.map(({ batchId }) => batchId));
  });

  it("cuts by packed bytes", async () => {
    const { accept, submission, collector } = pipeline();
    await accept.submit(submission(100, "shop", "x".repeat(60_000)));
    expect(collector.batches.length).toBe(3);
    for (const batch of collector.batches) expect(packBatch(batch).length).toBeLessThanOrEqual(batchBytesMax);
    expect(collector.batches.reduce((sum, { count }) => sum + count, 0)).toBe(100);
  });

  it("can be switched off", async () => {
    const { accept, submission, collector } = pipeline(false);
    const waiting = holdBack(collector);
    const all = [1, 2, 3].map((count) => accept.submit(submission(count)));
    await settled();
    expect(waiting.map(({ batch }) => batch.count)).toEqual([1, 2, 3]);
    for (const { go } of waiting) go();
    await Promise.all(all);
  });

  it("leaves batches with a given id to themselves", async () => {
    const { accept, submission, collector } = pipeline();
    const named = { ...submission(600), batchId: (part: number) => new Uint8Array(16).fill(part + 1) };
    const { parts } = await accept.submit(named);
    expect(parts.map(({ batchId }) => batchId[0])).toEqual([1, 2]);
    expect(collector.batches.map(({ count }) => count)).toEqual([500, 100]);
  });

  it("passes a collector's refusal on to every request of the batch", async () => {
    const { accept, submission, collector, clock } = pipeline();
    const waiting = holdBack(collector);
    const first = accept.submit(submission(1));
    await settled();
    const refused = [accept.submit(submission(1)), accept.submit(submission(1))].map((sent) =>
      sent.catch((error: unknown) => error),
    );
    await settled();
    await clock.advance(batchWaitMs);
    await settled();
    waiting[0]!.go();
    waiting[1]!.fail(new WeirError("log_unavailable", "down"));
    await first;
    expect(await Promise.all(refused)).toMatchObject([
      { code: "log_unavailable" },
      { code: "log_unavailable" },
    ]);
  });

  it("holds a bounded number of batches, and takes more once there is room", async () => {
    const { accept, submission, collector } = pipeline(false);
    const waiting = holdBack(collector);
    const held = Array.from({ length: batchesInFlightMax }, () => accept.submit(submission(1)));
    await settled();
    await expect(accept.submit(submission(1))).rejects.toMatchObject({
      code: "overloaded",
      retryAfterMs: 1000,
    });
    for (const { go } of waiting) go();
    await Promise.all(held);
    collector.before = async () => undefined;
    await expect(accept.submit(submission(1))).resolves.toMatchObject({ errors: [] });
  });

  it("ends by sending what it holds and refusing the rest", async () => {
    const { accept, submission, collector } = pipeline();
    const waiting = holdBack(collector);
    const taken = [accept.submit(submission(1))];
    await settled();
    taken.push(accept.submit(submission(2)));
    await settled();
    const closed = accept.close();
    await expect(accept.submit(submission(1))).rejects.toMatchObject({ code: "shutting_down" });
    await settled();
    for (const { go } of waiting) go();
    await closed;
    expect((await Promise.all(taken)).map(({ parts }) => parts[0]!.outcomes.length)).toEqual([1, 2]);
    expect(accept.isOpen()).toBe(false);
  });

  it.each<[string, (batch: Batch) => { batchId: Uint8Array; outcomes: Uint8Array }]>([
    ["another batch", () => ({ batchId: new Uint8Array(16), outcomes: new Uint8Array(1) })],
    ["fewer events", ({ batchId }) => ({ batchId, outcomes: new Uint8Array(0) })],
    ["an outcome that is none", ({ batchId }) => ({ batchId, outcomes: Uint8Array.of(9) })],
  ])("takes no answer for %s", async (_, answer) => {
    const { accept, submission, collector } = pipeline();
    collector.send = async (batch) => answer(batch);
    await expect(accept.submit(submission(1))).rejects.toMatchObject({ code: "log_unavailable" });
  });

  it("takes every identity that is asked for, and refuses events that cannot have it", async () => {
    const { accept, submission, collector } = pipeline();
    const base = submission(0);
    const events = [{ type: "t", event_id: "e", timestamp: now }, { type: "t" }];
    for (const identity of ["event_id", "content", "window", "sequence"] as const) {
      const { errors } = await accept.submit({ ...base, events, identity });
      const pointer = {
        event_id: "/event_id",
        content: "/timestamp",
        window: "/timestamp",
        sequence: "/stream_id",
      }[identity];
      expect(errors.at(-1)).toMatchObject({ index: 1, code: "missing_field", pointer });
    }
    const [byId, byContent, byWindow] = collector.batches;
    const heads = [byId, byContent, byWindow].map((batch) => String(batch!.hashes.slice(0, 16)));
    expect(new Set(heads).size).toBe(3);
  });
});
