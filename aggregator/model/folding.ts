// Folds what is stored into the read models, beside the writers: one aggregator at a time, soon after each commit.
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/logger.ts";
import { repeat } from "../repeat.ts";
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
/** The pause where another aggregator folds, and the longest one behind a failure. */
const awayMs = 2_000;

/** Begins to fold; `close` waits a moment for the step under way, and gives it up: a day stays to be read anew. */
export function startModelFolding(options: ModelFoldingOptions): { close(): Promise<void> } {
  return repeat({
    ...options,
    fault: "model_fold_failed",
    waitMsMax: awayMs,
    async step(session) {
      const folded = await foldStep(session, models);
      if (folded === "busy") return awayMs;
      return folded.days > 0 || folded.events >= manyEvents ? 0 : idleMs;
    },
  });
}
