// Folds what is stored into the read models, beside the writers: one aggregator at a time, soon after each commit.
import type { Sql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/logger.ts";
import { errorText } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { foldStep } from "./fold-step.ts";
import { models } from "./models.ts";

export interface ModelFoldingOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
}

/** The pause behind a step that left little: how old a figure is at most, and how often an idle store is asked. */
const idleMs = 250;
/** A step of so many is followed at once. Of few each costs twice as much, and writers would feel a loop of those. */
const manyEvents = 5_000;
/** The pause behind a failure, and where another aggregator folds. */
const awayMs = 2_000;
/** The end waits so long for the step under way; a day that is read anew is given up, and stays to be read. */
const stopMs = 1_000;

/** Begins to fold; `close` waits a moment for the step under way, and gives it up. */
export function startModelFolding({ store, clock, logger }: ModelFoldingOptions): { close(): Promise<void> } {
  const ended = new AbortController();
  let session: Sql | undefined;
  const step = async (): Promise<number> => {
    session ??= await store.writer();
    const folded = await foldStep(session, models);
    if (folded === "busy") return awayMs;
    return folded.days > 0 || folded.events >= manyEvents ? 0 : idleMs;
  };
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const pauseMs = await step().catch(async (error: unknown) => {
        if (!ended.signal.aborted) logger.error("model_fold_failed", { error: errorText(error) });
        await session?.end({ timeout: 1 }).catch(() => {});
        session = undefined;
        return awayMs;
      });
      if (pauseMs > 0 && !ended.signal.aborted) await clock.sleep(pauseMs, ended.signal);
    }
    await session?.end({ timeout: 1 }).catch(() => {});
  };
  const running = run();
  return {
    async close() {
      ended.abort();
      await Promise.race([running, clock.sleep(stopMs)]);
      // What is under way ends with its session, uncommitted.
      void session?.end({ timeout: 0 }).catch(() => {});
    },
  };
}
