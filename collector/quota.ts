// Quota: how many events of a UTC day the collector takes of a project. Where that cannot be known, it takes them.
import type { Clock } from "../shared/clock.ts";
import { WeirError } from "../shared/problem.ts";
import type { Batch } from "../shared/wire/batch.ts";
import type { ClaimStore } from "./claims/claims.ts";

export interface Quota {
  /**
   * Holds room for a batch that names a quota; the answered function says how many of its events are taken,
   * and is called once. Rejects with `quota_exceeded` and the wait until the next day.
   */
  enter(batch: Batch): Promise<(taken: number) => void>;
}

/** One project's day. */
interface Day {
  /** What is known of all collectors' events, our own included. */
  total: number;
  /** Events of batches under way here. */
  underWay: number;
  learned: Promise<void>;
}

const dayMs = 86_400_000;

/**
 * Events are counted in the claims' store once they are taken, beside the answer: so every collector
 * knows of the others' as of its own last batch, and what is over a quota is what was under way at once.
 * While that store is down, each counts for itself.
 */
export function createQuota(claims: ClaimStore, clock: Clock): Quota {
  let days = new Map<string, Day>();
  let today = 0;
  return {
    async enter({ project, count, quota }) {
      const now = clock.now();
      const day = dayOf(project, now);
      await day.learned;
      if (quota !== undefined && quota !== null && day.total + day.underWay + count > quota) {
        const detail = `The project takes ${quota} events a day; the next day begins at 00:00 UTC.`;
        throw new WeirError("quota_exceeded", detail, { retryAfterMs: dayMs - (now % dayMs) });
      }
      day.underWay += count;
      return (taken) => {
        day.underWay -= count;
        day.total += taken;
        if (taken > 0) void add(day, project, taken, now);
      };
    },
  };

  function dayOf(project: string, now: number): Day {
    const number = Math.floor(now / dayMs);
    if (number !== today) {
      today = number;
      days = new Map();
    }
    const known = days.get(project);
    if (known !== undefined) return known;
    const day: Day = { total: 0, underWay: 0, learned: Promise.resolve() };
    // Only the first batch of a day waits for it.
    day.learned = add(day, project, 0, now);
    days.set(project, day);
    return day;
  }

  async function add(day: Day, project: string, events: number, now: number): Promise<void> {
    const number = Math.floor(now / dayMs);
    try {
      // A day's number is good for a while after it, for batches that began in it.
      const total = await claims.count(`${number}:${project}`, events, (number + 2) * dayMs);
      day.total = Math.max(day.total, total);
    } catch {
      // Told by the breaker; this collector's own events are in `total` already.
    }
  }
}
