// Collect: one batch's way through claim, publish and settle to its answer.
import type { Clock } from "../shared/clock.ts";
import { reach } from "../shared/crash-point.ts";
import { type Batch, type BatchAnswer, isPublished, outcome } from "../shared/wire/batch.ts";
import { claim, requestFor } from "./claim.ts";
import type { ClaimStore } from "./claims/claims.ts";
import { decide, refusedIn } from "./outcome.ts";
import type { Publisher } from "./publish.ts";
import { createQuota } from "./quota.ts";
import type { Settler } from "./settle.ts";

export interface CollectDeps {
  claims: ClaimStore;
  publisher: Publisher;
  settler: Settler;
  clock: Clock;
}

/** Takes one batch; resolves when the log has it, rejects with a WeirError where that is not known. */
export type Collect = (batch: Batch) => Promise<BatchAnswer>;

/**
 * The claims save work and count; what is certain is the log. So a batch whose claims fail is published
 * unchecked, and a claim answers "duplicate" only for what a publish has settled.
 */
export function createCollect(deps: CollectDeps): Collect {
  const { claims, publisher, settler, clock } = deps;
  const quota = createQuota(claims, clock);
  return async (batch) => {
    const leave = publisher.enter(batch);
    let spend: ((taken: number) => void) | undefined;
    let taken = 0;
    try {
      if (hasQuota(batch)) spend = await quota.enter(batch);
      const refused = refusedIn(batch);
      const request = requestFor(batch, clock.random(8), (index) => refused[index] === 0);
      const { outcomes, isLogged } = decide(refused, await claim(claims, request));
      reach("after_claim");
      const answer = { batchId: batch.batchId, outcomes };
      if (isLogged) return answer;

      const published = await publisher.publish(batch, outcomes);
      if (!published.isStored) {
        // What may be in the log keeps its lease: freed, a copy would be taken for the first.
        if (published.isCertain) await settler.release(request);
        throw published.answer;
      }
      taken = outcomes.reduce((sum, code) => sum + (code === outcome.duplicate ? 0 : 1), 0);
      // Not settled: only what the log has may call a copy a duplicate. The drain settles.
      if (published.isSpooled) return { ...answer, spooled: true };
      reach("after_publish");
      await settler.settle(requestFor(batch, request.attempt, (index) => isPublished(outcomes[index]!)));
      reach("after_settle");
      return answer;
    } finally {
      spend?.(taken);
      leave();
    }
  };
}

const hasQuota = ({ quota }: Batch): boolean => quota !== undefined && quota !== null;
