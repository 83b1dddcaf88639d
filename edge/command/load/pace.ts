// When each request of a load leaves, and when its new events end.
import type { Clock } from "../../../shared/clock.ts";
import type { LoadEvent } from "./load-events.ts";
import type { LoadRequest, NextRequest } from "./plan.ts";

/** Ends a stream of events when its time is over; without `seconds` it ends by itself. */
export async function* untilTime(
  events: AsyncIterator<LoadEvent> | Iterator<LoadEvent>,
  seconds: number | undefined,
  clock: Clock,
): AsyncGenerator<LoadEvent> {
  const until = seconds === undefined ? Number.POSITIVE_INFINITY : clock.now() + seconds * 1000;
  while (clock.now() < until) {
    const next = await events.next();
    if (next.done === true) return;
    yield next.value;
  }
  await events.return?.();
}

// Wall time in fractions of a millisecond, which latencies on loopback need.
export const preciseNow = (): number => performance.timeOrigin + performance.now();

/** The next request and when it is due, epoch ms. */
export type Pace = () => Promise<{ request: LoadRequest; dueAt: number } | undefined>;

/**
 * `rate` in events a second; 0: as fast as requests are asked for. One caller at a time plans a request
 * and waits for its moment: requests leave in order, and a slow answer delays those after it, which their
 * latency then shows.
 */
export function createPace(next: NextRequest, rate: number, clock: Clock): Pace {
  const startedAt = preciseNow();
  let planned = 0;
  let turn: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = turn.then(async () => {
      const request = await next();
      if (request === undefined) return undefined;
      const dueAt = rate > 0 ? startedAt + (planned / rate) * 1000 : preciseNow();
      planned += request.originals.length + request.copies.length;
      const waitMs = dueAt - preciseNow();
      if (waitMs > 0) await clock.sleep(waitMs);
      return { request, dueAt };
    });
    turn = mine.catch(() => undefined);
    return mine;
  };
}
