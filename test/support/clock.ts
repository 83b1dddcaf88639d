// A clock that stands still until it is told otherwise, and randomness that repeats from its seed.
import type { Clock } from "../../shared/clock.ts";

export interface ManualClock extends Clock {
  /** Moves the time on and wakes every sleeper whose time has come, in order. */
  advance(ms: number): Promise<void>;
}

/** Starts at `startMs`; the bytes come from a xorshift of `seed`. */
export function manualClock(startMs: number = Date.UTC(2026, 10, 20, 12), seed = 1): ManualClock {
  let now = startMs;
  let state = seed >>> 0 || 1;
  const sleepers: { at: number; wake: () => void }[] = [];
  return {
    now: () => now,
    random(bytes) {
      return Uint8Array.from({ length: bytes }, () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return state & 0xff;
      });
    },
    sleep: (ms) => new Promise((wake) => void sleepers.push({ at: now + ms, wake })),
    async advance(ms) {
      const until = now + ms;
      for (;;) {
        sleepers.sort((left, right) => left.at - right.at);
        const next = sleepers[0];
        if (next === undefined || next.at > until) break;
        sleepers.shift();
        now = next.at;
        next.wake();
        await new Promise((resolve) => setImmediate(resolve));
      }
      now = until;
    },
  };
}
