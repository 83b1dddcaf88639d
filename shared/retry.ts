// Backoff with full jitter and a budget: how often, how long, and when to give up.
import type { Clock } from "./clock.ts";

/** `attemptsMax` counts the first try; waits grow from `baseMs` by doubling up to `waitMsMax`. */
export interface RetryPolicy {
  attemptsMax: number;
  baseMs: number;
  waitMsMax: number;
}

/**
 * The wait before attempt `attempt` (2 is the first repetition), in ms. A server's Retry-After is a
 * floor: jitter is added on top of it, so that clients told the same number do not come back together.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(policy: RetryPolicy, attempt: number, clock: Clock, retryAfterMs = 0): number {
  const ceiling = Math.min(policy.waitMsMax, policy.baseMs * 2 ** (attempt - 2));
  const random = clock.random(2);
  const share = ((random[0]! << 8) | random[1]!) / 0xffff;
  return retryAfterMs + Math.round(ceiling * share);
}

/** Runs `work` until it succeeds, `again` says the error is final, or the attempts are used up. */
export async function retry<T>(
  policy: RetryPolicy,
  clock: Clock,
  work: (attempt: number) => Promise<T>,
  again: (error: unknown) => boolean | { retryAfterMs: number },
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      const verdict = again(error);
      if (verdict === false || attempt >= policy.attemptsMax) throw error;
      const floor = verdict === true ? 0 : verdict.retryAfterMs;
      await clock.sleep(backoffMs(policy, attempt + 1, clock, floor));
    }
  }
}
