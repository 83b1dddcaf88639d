// Faults planted into the simulated world, to see that its verdict would find them in the product.
import type { LedgerWrites } from "../../../aggregator/ledger/fold.ts";
import { requestFor } from "../../../collector/claim.ts";
import { type ClaimRequest, type ClaimStore, claimFound } from "../../../collector/claims/claims.ts";
import type { Collect } from "../../../collector/collect.ts";
import { decide, refusedIn } from "../../../collector/outcome.ts";
import type { Publisher } from "../../../collector/publish.ts";
import type { Settler } from "../../../collector/settle.ts";
import { toHex } from "../../../shared/event/bytes.ts";
import { isPublished } from "../../../shared/wire/batch.ts";

/** What a world does otherwise than the product. */
export interface Twist {
  claims?: (claims: ClaimStore) => ClaimStore;
  collect?: (collect: Collect) => Collect;
  publisher?: (publisher: Publisher, settler: Settler) => Publisher;
  ledger?: (ledger: LedgerWrites) => LedgerWrites;
  /** A partition by chance instead of by the batch's id. */
  scattersBatches?: boolean;
  movesOffsetsFirst?: boolean;
  keepsEpoch?: boolean;
  leavesMovedUnlocked?: boolean;
}

export const twists: Readonly<Record<string, Twist>> = {
  "ack early": {
    collect: (collect) => async (batch) => {
      void collect(batch).catch(() => {});
      return { batchId: batch.batchId, outcomes: decide(refusedIn(batch), undefined).outcomes };
    },
  },
  "accept your own pending": { claims: ownPendingAsDone },
  "settle at the spool": {
    publisher: (publisher) => ({
      ...publisher,
      async publish(batch, outcomes) {
        const published = await publisher.publish(batch, outcomes);
        return published.isStored ? { ...published, isSpooled: false } : published;
      },
    }),
  },
  "settle what was not published": {
    publisher: (publisher, settler) => ({
      ...publisher,
      async publish(batch, outcomes) {
        const published = await publisher.publish(batch, outcomes);
        const request = requestFor(batch, new Uint8Array(8), (index) => isPublished(outcomes[index]!));
        if (!published.isStored) await settler.settle(request);
        return published;
      },
    }),
  },
  "offsets before rows": { movesOffsetsFirst: true },
  "rows before the ledger row": {
    ledger: (ledger) => ({
      ...ledger,
      async insert(tx, log, tallies) {
        await ledger.insert(tx, log, tallies);
        return new Set([...tallies.keys()].map(({ batchId }) => batchId));
      },
    }),
  },
  "one batch over two partitions": { scattersBatches: true },
  "NX then publish": {
    claims: (claims) =>
      finding(claims, (code) => (code === claimFound.pending ? claimFound.doneSameContent : code)),
  },
  "epoch not raised": { keepsEpoch: true },
  "fingerprint ignored": {
    claims: (claims) =>
      finding(claims, (code) => (code === claimFound.doneOtherContent ? claimFound.doneSameContent : code)),
  },
  "moved copies not locked": { leavesMovedUnlocked: true },
};

function finding(claims: ClaimStore, change: (code: number) => number): ClaimStore {
  return { ...claims, claim: async (request) => (await claims.claim(request)).map(change) };
}

function ownPendingAsDone(claims: ClaimStore): ClaimStore {
  const holders = new Map<string, string>();
  const keysOf = ({ count, hashes }: ClaimRequest): string[] =>
    Array.from({ length: count }, (_, at) => toHex(hashes.subarray(at * 16, at * 16 + 16)));
  return {
    ...claims,
    async claim(request) {
      const batch = toHex(request.batchId);
      const keys = keysOf(request);
      const found = await claims.claim(request);
      return found.map((code, at) => {
        if (code === claimFound.nothing) holders.set(keys[at]!, batch);
        const isOwn = code === claimFound.pending && holders.get(keys[at]!) === batch;
        return isOwn ? claimFound.doneSameBatch : code;
      });
    },
  };
}
