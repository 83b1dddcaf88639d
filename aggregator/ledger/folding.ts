// Folds the ledger from time to time, beside the writers and a little at once.
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import { errorText } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { foldStep } from "./hours.ts";

export interface FoldingOptions {
  store: Store;
  reader: LogReader;
  clock: Clock;
  logger: Logger;
  days: number;
  /** The pause between two rounds, ms. */
  everyMs?: number;
  /** Rows of one step. */
  rowsMax?: number;
}

const everyMsDefault = 600_000;
/** Steps of one round: a hundred thousand batches, more than ten minutes bring at 150 a second. */
const stepsMax = 20;

/** Begins the rounds, the first one a pause after the start; `close` waits for the step under way. */
export function startFolding(options: FoldingOptions): { close(): Promise<void> } {
  const { clock, logger, everyMs = everyMsDefault } = options;
  const ended = new AbortController();
  const round = async (): Promise<void> => {
    for (let step = 0; step < stepsMax && !ended.signal.aborted; step += 1) {
      if ((await foldStep({ ...options, nowMs: clock.now() })) === 0) return;
    }
  };
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(everyMs, ended.signal);
      if (ended.signal.aborted) return;
      await round().catch((error: unknown) =>
        logger.error("ledger_fold_failed", { error: errorText(error) }),
      );
    }
  };
  const running = run();
  return {
    async close() {
      ended.abort();
      await running;
    },
  };
}
