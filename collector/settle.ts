// Settle and release: the claims are told how a publish ended.
import type { ClaimRequest, ClaimStore } from "./claims/claims.ts";

/** Settles under way at once: each holds the columns of 500 events at most, so 12 KB, together 3 MB. */
const underWayMax = 256;

export interface Settler {
  /** Resolves when the answer may go out; never rejects. */
  settle(request: ClaimRequest): Promise<void>;
  /** Frees what the request's attempt holds; resolves when it is done or has failed, never rejects. */
  release(request: ClaimRequest): Promise<void>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/**
 * The answer does not wait for the settle: the log has the batch, and a copy that comes before the claim
 * is done is published in doubt and told apart by the store. Waiting would add a round trip to every
 * batch. Where too many are under way the next ones do wait, so that a slow server slows its callers.
 */
export function createSettler(claims: ClaimStore): Settler {
  const underWay = new Set<Promise<void>>();
  function tell(call: Promise<void>): Promise<void> {
    const told = call
      .catch(() => undefined)
      .finally(() => {
        underWay.delete(told);
      });
    underWay.add(told);
    return told;
  }
  return {
    async settle(request) {
      if (request.count === 0) return;
      const told = tell(claims.settle(request));
      if (underWay.size > underWayMax) await told;
    },
    // Waited for: the edge comes again after the 503, and must not find the lease of its own first try.
    async release(request) {
      if (request.count > 0) await tell(claims.release(request));
    },
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
