// The tables a transaction touches, as PostgreSQL keeps them in READ COMMITTED: what is not committed is
// seen by its own transaction alone, and whoever wants the same key waits for its end.
import type { DecodedRecord } from "../../../aggregator/decode.ts";
import type { Tally } from "../../../aggregator/ledger/fold.ts";
import type { Place } from "./place.ts";

export interface EventRow {
  fingerprint: Buffer;
  eventId: string;
  payload: string;
}

export interface LedgerRow {
  decoded: DecodedRecord;
  tally: Tally;
}

export interface PositionRow {
  next: bigint;
  epoch: bigint;
  /** The mark of the record before. */
  last: string | null;
  owner: Session | undefined;
}

export interface Tables {
  positions: Map<number, PositionRow>;
  /** By batch id. */
  ledger: Map<string, LedgerRow>;
  /** By id, as a latin1 text. */
  events: Map<string, EventRow>;
  /** Ids by identity hash. */
  moved: Map<string, string>;
  /** By identity hash and fingerprint; `original` is base64. */
  quarantine: Map<string, { reason: string; original: string }>;
  /** Records kept whole, and further records of known batches, by place. */
  records: Map<string, string>;
  retransmissions: Map<string, string>;
  /** Where a position moved without records: on behind a hole, or back to the end of a shorter log. */
  holes: { partition: number; from: bigint; to: bigint }[];
}

/** One connection of a process; it is another one after every loss. */
export interface Session {
  place: Place;
  isOpen: boolean;
  tx: Transaction | undefined;
}

export interface Transaction {
  session: Session;
  isOver: boolean;
  /** What a commit does to the tables. */
  writes: (() => void)[];
  /** Partitions whose position this transaction has moved on. */
  moves: { partition: number; to: bigint }[];
  /** Moves a position back to where its log ends now. */
  isRewind: boolean;
  end: PromiseWithResolvers<void>;
}

/** Locks by key, exclusive or shared, until the holder's transaction ends. */
export interface Locks {
  take(tx: Transaction, key: string, isShared?: boolean): Promise<void>;
}

export const emptyTables = (): Tables => ({
  positions: new Map(),
  ledger: new Map(),
  events: new Map(),
  moved: new Map(),
  quarantine: new Map(),
  records: new Map(),
  retransmissions: new Map(),
  holes: [],
});

/** `free` is a key that nobody waits for. */
export function createLocks(free?: string): Locks {
  const holders = new Map<string, Map<Transaction, boolean>>();
  return {
    async take(tx, key, isShared = false) {
      for (;;) {
        if (tx.isOver) throw lost();
        if (key === free) return;
        const held = holders.get(key) ?? new Map<Transaction, boolean>();
        holders.set(key, held);
        for (const other of held.keys()) if (other.isOver) held.delete(other);
        const others = [...held].filter(([other, shared]) => other !== tx && !(isShared && shared));
        if (others.length === 0) {
          held.set(tx, isShared && held.get(tx) !== false);
          return;
        }
        await Promise.race([...others.map(([other]) => other.end.promise), tx.end.promise]);
      }
    },
  };
}

/** What postgres.js rejects with when a connection ends. */
export const lost = (): Error =>
  Object.assign(new Error("the connection has ended"), { code: "CONNECTION_CLOSED" });

/** Ends a session and what was under way on it. */
export function endSession(session: Session): void {
  session.isOpen = false;
  if (session.tx !== undefined) endTransaction(session.tx);
}

export function endTransaction(tx: Transaction): void {
  tx.isOver = true;
  tx.session.tx = undefined;
  tx.end.resolve();
}
