// Empties a queue into the edge: one request at a time, in order, until each event is safe or refused for good.
import { systemClock } from "../../shared/clock.ts";
import { backoffMs } from "../../shared/retry.ts";
import type { Queue } from "./queue.ts";
import type { Verdict, Waiting } from "./request.ts";
import { later } from "./wait.ts";

export interface PumpDeps {
  queue: Queue;
  batchEventsMax: number;
  batchWaitMs: number;
  /** Never rejects. */
  send(events: readonly Waiting[]): Promise<Verdict>;
  onSafe(events: readonly Waiting[], verdict: Extract<Verdict, { kind: "safe" }>): void;
  onRefused(event: Waiting): void;
  onFailure(verdict: Exclude<Verdict, { kind: "safe" }>, attempts: number): void;
}

export interface Pump {
  /** Something was put into the queue. */
  schedule(): void;
  /** Sends at once; true when all that waits now has left, false when the time was up. */
  flush(timeoutMs: number): Promise<boolean>;
  /** Sends nothing more, and takes no more notice of what is on its way. */
  stop(): void;
}

/** Doubling from 200 ms to 30 s, and no end to it: the queue's bound is the end. */
const policy = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 200, waitMsMax: 30_000 };
/** Half of what an edge takes, so that the rest of the body has room; one event alone may be larger. */
const bodyBytesMax = 512 * 1024;

export function createPump(deps: PumpDeps): Pump {
  const { queue, batchEventsMax } = deps;
  const flushes: { upTo: number; resolve: () => void }[] = [];
  let left = 0;
  let attempts = 0;
  let countMax = batchEventsMax;
  let isSending = false;
  let isStopped = false;
  let cancel: (() => void) | undefined;
  return { schedule, flush, stop };

  function schedule(): void {
    if (isSending || isStopped || queue.length === 0) return;
    if (flushes.length > 0 || attempts > 0 || queue.length >= batchEventsMax) void pump();
    else cancel ??= later(deps.batchWaitMs, () => void pump());
  }

  async function pump(): Promise<void> {
    cancel?.();
    cancel = undefined;
    isSending = true;
    const events = queue.head(countMax, bodyBytesMax);
    const verdict = await deps.send(events);
    const waitMs = isStopped ? 0 : conclude(events, verdict);
    if (waitMs > 0) await new Promise<void>((resolve) => later(waitMs, resolve));
    isSending = false;
    schedule();
  }

  // Answers how long to wait before the next request, in ms.
  function conclude(events: readonly Waiting[], verdict: Verdict): number {
    if (verdict.kind === "safe") {
      deps.onSafe(events, verdict);
      settle(events.length);
      return 0;
    }
    attempts += 1;
    deps.onFailure(verdict, attempts);
    if (verdict.kind === "again") return backoffMs(policy, attempts + 1, systemClock, verdict.retryAfterMs);
    if (events.length === 1) {
      deps.onRefused(events[0]!);
      settle(1);
    } else {
      // One event of many may be what the edge will not have: the smaller halves tell which.
      countMax = Math.ceil(events.length / 2);
    }
    return 0;
  }

  function settle(count: number): void {
    queue.drop(count);
    left += count;
    attempts = 0;
    countMax = batchEventsMax;
    for (const { upTo, resolve } of flushes) if (upTo <= left) resolve();
  }

  async function flush(timeoutMs: number): Promise<boolean> {
    if (queue.length === 0) return true;
    const upTo = left + queue.length;
    let timer: unknown;
    await new Promise<void>((resolve) => {
      flushes.push({ upTo, resolve });
      // This timer holds the program up, since somebody waits for it.
      timer = setTimeout(resolve, timeoutMs);
      schedule();
    });
    clearTimeout(timer as number);
    flushes.splice(
      flushes.findIndex((waiter) => waiter.upTo === upTo),
      1,
    );
    return upTo <= left;
  }

  function stop(): void {
    isStopped = true;
    cancel?.();
  }
}
