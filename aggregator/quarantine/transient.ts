// Which reasons may pass by themselves, when each is tried again, and how often.
import type { QuarantineReason } from "../../shared/problem.ts";

interface Backoff {
  baseMs: number;
  factor: number;
  attemptsMax: number;
}

const minuteMs = 60_000;

/**
 * Everything else needs a hand: what an edge refuses for its content is refused again by the same code.
 * A row the store would not take may be taken once a server was repaired or brought up to date: after 10
 * minutes, by when the claims have forgotten it, then 40 and so on, over about two days. A time that lay
 * ahead comes; six tries reach two months ahead, and each is counted as a reception of its own.
 */
const transient: Partial<Readonly<Record<QuarantineReason, Backoff>>> = {
  event_unwritable: { baseMs: 10 * minuteMs, factor: 4, attemptsMax: 5 },
  time_ahead: { baseMs: 60 * minuteMs, factor: 4, attemptsMax: 6 },
};

/** The reasons that are tried again by themselves. */
export const transientReasons = Object.keys(transient) as QuarantineReason[];

/** When a row that was tried `attempts` times is to be tried again, epoch ms; undefined where never. */
export function nextRetryAt(
  row: { reason: QuarantineReason; attempts: number },
  sinceMs: number,
): number | undefined {
  const backoff = transient[row.reason];
  if (backoff === undefined || row.attempts >= backoff.attemptsMax) return undefined;
  return sinceMs + backoff.baseMs * backoff.factor ** row.attempts;
}
