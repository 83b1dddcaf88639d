// Waits until the ledger has every batch of an import, and adds up what became of its events.
import type { Clock } from "../../shared/clock.ts";
import { type Checkpoint, runBatchIds } from "./checkpoint.ts";

/** What became of events, as the ledger says; `quarantined` holds refused ones and conflicts. */
export interface Outcomes {
  stored: number;
  duplicate: number;
  quarantined: number;
  expired: number;
  erased: number;
}

/** The ledger's sums over those of the batches that have a row. */
export interface LedgerOutcomes extends Outcomes {
  /** How many of the batches asked for have a row. */
  known: number;
  /** Their events, as received. */
  received: number;
}

/** Asks the store for at most 1,000 batches (16-byte ids) at once. May reject while the store is down. */
export type OutcomesOf = (batchIds: readonly Uint8Array[]) => Promise<LedgerOutcomes>;

const batchesAtOnce = 500;
const pollMs = 50;
const stallMs = 60_000;

/** The log has everything, but the store did not come after it in time. */
export class UnwrittenError extends Error {
  override name = "UnwrittenError";
}

export const noOutcomes = (): LedgerOutcomes => ({
  known: 0,
  received: 0,
  stored: 0,
  duplicate: 0,
  quarantined: 0,
  expired: 0,
  erased: 0,
});

/** Adds `more` to `sums` in place. */
export function addOutcomes(sums: LedgerOutcomes, more: LedgerOutcomes): void {
  for (const name of Object.keys(sums) as (keyof LedgerOutcomes)[]) sums[name] += more[name];
}

/**
 * Sums over every batch of `batches`, each lot waited for until all of it is known. Rejects with an
 * UnwrittenError when for a minute nothing more became known.
 */
export async function awaitOutcomes(
  batches: Iterable<readonly Uint8Array[]>,
  outcomesOf: OutcomesOf,
  clock: Clock,
  signal?: AbortSignal,
): Promise<LedgerOutcomes> {
  const sums = noOutcomes();
  for (const ids of batches) {
    let known = -1;
    let movedAt = clock.now();
    let trouble: unknown;
    for (;;) {
      if (signal?.aborted) throw new Error("stopped; start the command again to wait for the rest");
      const found = await outcomesOf(ids).catch((error: unknown) => {
        trouble = error;
        return undefined;
      });
      if (found?.known === ids.length) {
        addOutcomes(sums, found);
        break;
      }
      if (found !== undefined && found.known > known) [known, movedAt] = [found.known, clock.now()];
      if (clock.now() - movedAt > stallMs) throw stalled(ids.length - Math.max(known, 0), trouble);
      await clock.sleep(pollMs);
    }
  }
  return sums;
}

/** Every batch of a run of `parts` parts. */
export const runBatches = (checkpoint: Checkpoint, parts: number): Iterable<Uint8Array[]> =>
  runBatchIds(checkpoint, parts, batchesAtOnce);

function stalled(batches: number, cause: unknown): UnwrittenError {
  const what = cause === undefined ? "the aggregator wrote none of them" : "the store does not answer";
  return new UnwrittenError(
    `the log has every event, but ${batches} batches or more are not in the ledger: ${what} for ${stallMs / 1000} s; look at the aggregator, then start the command again`,
    { cause },
  );
}
