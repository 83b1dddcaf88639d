// The way back in: quarantined events handed to an edge's pipeline, to be received anew.
import type { EventRefusal } from "../problem.ts";

/** What an event is known by; it keeps it on its way back, so that a second try is a copy of the first. */
interface Known {
  /** 16 bytes, the identity hash. */
  hash: Uint8Array;
  /** 8 bytes. */
  fingerprint: Uint8Array;
  bytes: Uint8Array;
}

/** An event an edge refused: its bytes as they came, and what its request said about it. */
export interface OriginalEvent extends Known {
  /** The client format it came in. */
  dialect: string;
  /** The identity that was asked for instead of the dialect's own. */
  identity: string | undefined;
  historical: boolean;
  /** Content of it was masked when it was refused; `hash` and `fingerprint` are of the event as sent. */
  isRedacted: boolean;
  /** The moment its time is judged by, epoch ms: when it came first, or now. */
  judgedAt: number;
  sentAt: number | undefined;
}

/** An event the store refused: packed, and with its key. */
export interface PackedEvent extends Known {
  /** 16 bytes. */
  key: Uint8Array;
  flags: number;
}

/** One batch of events of one project, all of one kind. Sent again it is the same batch, event by event. */
export interface Reentry {
  batchId: Uint8Array;
  project: string;
  receivedAt: number;
  originals: readonly OriginalEvent[];
  packed: readonly PackedEvent[];
}

/** One event as it was received anew: under which key, or refused again. */
export interface Reentered {
  refusal: EventRefusal | undefined;
  /** The claims know it, so it was counted as a duplicate and not sent on. */
  isKnown: boolean;
  key: Uint8Array;
  hash: Uint8Array;
  fingerprint: Uint8Array;
}

/**
 * Resolves once the batch is durable, one answer an event in order; rejects with a WeirError where that
 * is not certain, and then the same batch is to be sent again.
 */
export interface Reenter {
  send(reentry: Reentry): Promise<Reentered[]>;
}
