// Folds what a suite has stored, so that questions and views answer for all of it.
import { foldStep } from "../../aggregator/model/fold-step.ts";
import { models } from "../../aggregator/model/models.ts";
import type { Store } from "../../aggregator/store/store.ts";

/**
 * Resolves once the read models hold all that is stored, whoever folds: a running aggregator is waited for.
 * Rejects after `msMax`.
 */
export async function foldAll(store: Store, { idsMax, msMax = 120_000 }: FoldAllOptions = {}): Promise<void> {
  const session = await store.writer();
  try {
    const deadline = Date.now() + msMax;
    for (;;) {
      const folded = await foldStep(session, models, idsMax);
      if (folded !== "busy" && folded.events + folded.days === 0) return;
      if (Date.now() > deadline) throw new Error(`the read models were not folded within ${msMax} ms`);
      if (folded === "busy") await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await session.end({ timeout: 5 });
  }
}

/** `idsMax`: events of one step. */
export interface FoldAllOptions {
  idsMax?: number;
  msMax?: number;
}
