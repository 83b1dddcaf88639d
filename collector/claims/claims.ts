// The claim port: who has an event first, known before the store knows it. A claim saves work and
// counts; it may only ever answer "duplicate" for what the log already holds.

/** What a claim found for one event. */
export const claimFound = {
  /** Nothing was there; the key is now pending for this attempt. */
  nothing: 0,
  /** Someone's publish is under way, or was cut off; our own batch's earlier attempt included. */
  pending: 1,
  /** In the log already, by this very batch. */
  doneSameBatch: 2,
  /** In the log already, the same content. */
  doneSameContent: 3,
  /** In the log already, another content under the same identity. */
  doneOtherContent: 4,
} as const;

/**
 * What a live claim is to whoever finds it. The tables here and the search through small worlds run this
 * one; Redis's scripts say the same in Lua, and every driver is held to it by one contract suite.
 */
export function foundAs(isDone: boolean, isSameBatch: boolean, isSameContent: boolean): number {
  if (!isDone) return claimFound.pending;
  if (isSameBatch) return claimFound.doneSameBatch;
  return isSameContent ? claimFound.doneSameContent : claimFound.doneOtherContent;
}

/** `count` keys of one batch. `hashes` holds 16 bytes a key, `fingerprints` 8. */
export interface ClaimRequest {
  /** 16 bytes. */
  batchId: Uint8Array;
  /** 8 random bytes, new at every attempt: only the attempt that took a lease may release it. */
  attempt: Uint8Array;
  count: number;
  hashes: Uint8Array;
  fingerprints: Uint8Array;
}

/** How a store stands, for doctor and for the start of a collector. */
export interface ClaimHealth {
  /** Whether the store may forget keys by itself under memory pressure; undefined where it will not say. */
  evicts: boolean | undefined;
  /** What is shown to the operator, such as the policy's name. */
  detail: string;
}

/**
 * Claims for one log. Calls may run in parallel and from many collectors; each call is atomic per key.
 * Any call may reject (unreachable, out of memory, read-only, too late): the caller then goes on
 * unchecked, since the store settles every doubt.
 */
export interface ClaimStore {
  /**
   * One byte a key, a value of `claimFound`. A key not found is taken as pending for `claimLeaseMs`. A
   * hit on a done key prolongs it. The same key twice in one request: the second finds the first's.
   */
  claim(request: ClaimRequest): Promise<Uint8Array>;
  /**
   * The log has these events: done for `claimDoneMs`, over anyone's lease. A key already done keeps its
   * batch and content, and is prolonged.
   */
  settle(request: ClaimRequest): Promise<void>;
  /** The log has none of these: frees the keys this attempt holds pending, and no others. */
  release(request: ClaimRequest): Promise<void>;
  /**
   * Adds to a counter of this log and answers its sum; with 0 it only answers. The counter is gone after
   * `untilMs`, epoch ms. A call that rejects may have added.
   */
  count(name: string, events: number, untilMs: number): Promise<number>;
  health(): Promise<ClaimHealth>;
  close(): Promise<void>;
}

/** Claims are kept apart per log, so that none outlives the log that backs it: 8 bytes before each key. */
export type ClaimPrefix = Uint8Array;
