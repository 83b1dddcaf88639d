// The rules of the product as the explorer runs them, and the faults planted to see that it would find them.
import { claimFound, foundAs } from "../../collector/claims/claims.ts";
import { decide } from "../../collector/outcome.ts";
import type { Copy } from "./judge.ts";
import type { Cast } from "./world.ts";

/** What the claims hold for the one event; `state` 0: nothing, 1: pending, 2: done. */
export interface Claim {
  state: number;
  batch: number;
  content: number;
}

export interface Rules {
  /** The port's answer, as its contract has it for every driver. */
  find(claim: Claim, batch: number, content: number): number;
  decide: typeof decide;
  /** The partition of an attempt to send a batch. */
  partitionOf(batch: number, attempt: number): number;
  acksEarly: boolean;
  settlesAtSpool: boolean;
  settlesUnpublished: boolean;
  commitsOffsetsFirst: boolean;
  writesRowsFirst: boolean;
  raisesEpoch: boolean;
  locksMoved: boolean;
}

const find: Rules["find"] = ({ state, batch: holder, content: held }, batch, content) =>
  state === 0 ? claimFound.nothing : foundAs(state === 2, holder === batch, held === content);

/** A batch's partition is a function of its id alone: of two neighbours each has its own. */
export const sound: Rules = {
  find,
  decide,
  partitionOf: (batch) => batch % 2,
  acksEarly: false,
  settlesAtSpool: false,
  settlesUnpublished: false,
  commitsOffsetsFirst: false,
  writesRowsFirst: false,
  raisesEpoch: true,
  locksMoved: true,
};

/** What a rule was made to do wrong, and the world in which it shows soonest. */
export interface Mutant {
  rules: Partial<Rules>;
  cast: Cast;
}

const plain: Copy = { content: 0, isMoved: false };
const casts = {
  one: [plain],
  same: [plain, plain],
  other: [plain, { content: 1, isMoved: false }],
  moved: [plain, { content: 0, isMoved: true }],
} satisfies Record<string, readonly Copy[]>;

/** A world by its copies, and by how much may happen in it. */
export const castOf = (
  copies: keyof typeof casts,
  [attempts, aggregators, faults]: readonly [attempts: 1 | 2, aggregators: 1 | 2, faults: number],
  hasSpool = false,
): Cast => ({ copies: casts[copies], attempts, aggregators, faults, hasSpool });

export const mutants: Readonly<Record<string, Mutant>> = {
  "ack early": { rules: { acksEarly: true }, cast: castOf("one", [1, 1, 0]) },
  "accept your own pending": {
    rules: {
      find: (claim, batch, content) =>
        claim.state === 1 && claim.batch === batch ? claimFound.doneSameBatch : find(claim, batch, content),
    },
    cast: castOf("one", [2, 1, 0]),
  },
  "settle at the spool": { rules: { settlesAtSpool: true }, cast: castOf("same", [1, 1, 2], true) },
  "settle what was not published": { rules: { settlesUnpublished: true }, cast: castOf("one", [2, 1, 1]) },
  "offsets before rows": { rules: { commitsOffsetsFirst: true }, cast: castOf("one", [1, 1, 1]) },
  "rows before the ledger row": { rules: { writesRowsFirst: true }, cast: castOf("one", [2, 1, 1]) },
  "one batch over two partitions": {
    rules: { partitionOf: (batch, attempt) => (batch + attempt) % 2 },
    cast: { ...castOf("same", [2, 1, 0]), readsLast: true },
  },
  "NX then publish": {
    rules: {
      find: (claim, batch, content) =>
        claim.state === 1 && claim.batch !== batch ? claimFound.doneSameContent : find(claim, batch, content),
    },
    cast: castOf("same", [1, 1, 1]),
  },
  "epoch not raised": { rules: { raisesEpoch: false }, cast: castOf("one", [1, 2, 1]) },
  "fingerprint ignored": {
    rules: {
      find: (claim, batch, content) => {
        const found = find(claim, batch, content);
        return found === claimFound.doneOtherContent ? claimFound.doneSameContent : found;
      },
    },
    cast: castOf("other", [1, 1, 0]),
  },
  "moved copies not locked": { rules: { locksMoved: false }, cast: castOf("moved", [1, 2, 0]) },
};
