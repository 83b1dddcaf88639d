// Repeats a step beside everything else until it is ended, on a session of its own that is replaced when a step fails.
import type { Sql } from "postgres";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/logger.ts";
import { backoffMs } from "../shared/retry.ts";
import { errorText } from "./store/errors.ts";
import type { Store } from "./store/store.ts";

export interface RepeatOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
  /** What a failure is called in the log. */
  fault: string;
  /** The pause before the first step, ms; none by default. */
  beginsMs?: number | undefined;
  /** The longest pause behind a failure, ms. */
  waitMsMax?: number | undefined;
  /** Does something and answers the pause behind it, ms. */
  step(session: Sql, signal: AbortSignal): Promise<number>;
}

/** What failed is tried again soon at first, then once a minute at least. */
const again = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 1_000 };
const waitMsMaxDefault = 60_000;
/** The end waits so long for the step under way; then it goes with its session, uncommitted. */
const stopMs = 500;

/** Begins; `close` takes no longer than a second. */
export function repeat(options: RepeatOptions): { close(): Promise<void> } {
  const { store, clock, logger, fault, beginsMs = 0, waitMsMax = waitMsMaxDefault, step } = options;
  const ended = new AbortController();
  const { signal } = ended;
  let session: Sql | undefined;
  let failures = 0;
  const once = async (): Promise<number> => {
    session ??= await store.writer();
    const pauseMs = await step(session, signal);
    failures = 0;
    return pauseMs;
  };
  const run = async (): Promise<void> => {
    if (beginsMs > 0) await clock.sleep(beginsMs, signal);
    while (!signal.aborted) {
      const pauseMs = await once().catch(async (error: unknown) => {
        failures += 1;
        if (!signal.aborted) logger.error(fault, { error: errorText(error) });
        await session?.end({ timeout: 1 }).catch(() => {});
        session = undefined;
        return backoffMs({ ...again, waitMsMax }, failures + 1, clock);
      });
      if (pauseMs > 0 && !signal.aborted) await clock.sleep(pauseMs, signal);
    }
    await session?.end({ timeout: 1 }).catch(() => {});
  };
  const running = run();
  return {
    async close() {
      ended.abort();
      await Promise.race([running, clock.sleep(stopMs)]);
      void session?.end({ timeout: 0 }).catch(() => {});
    },
  };
}
