// An event as every station names it: what a client may say, and what travels once it is normalised.
import type { IdentityKind } from "./identity.ts";

/** Bits of an event's flags, in the wire's one byte and in the stored column. */
export const flag = {
  /** Its identity is of a weak kind. */
  weak: 1,
  /** Its event time was moved or made up here, so it differs from copy to copy. */
  moved: 2,
  /** U+0000 or a lone surrogate, which PostgreSQL cannot hold, was replaced by U+FFFD. */
  textReplaced: 4,
  /** The sender looks like a bot; marked, never dropped. */
  bot: 8,
  /** Its key had the right to send old data. */
  historical: 16,
  /** Content of it was left out or masked as its project asks; its identity is that of the event as sent. */
  redacted: 32,
} as const;

/** One event ready to travel: all times epoch ms; JSON members are RFC 8785 texts. */
export interface NormalisedEvent {
  identity: IdentityKind;
  /** What the identity hash is taken over; undefined for `arrival`, whose batch is not known yet. */
  identityText: string | undefined;
  /** What the fingerprint is taken over; undefined for kinds that have none. */
  fingerprintText: string | undefined;
  eventTime: number;
  flags: number;
  fields: EventFields;
}

/** The stored fields of an event. Absent is null; `payload`, `context` and `metadata` are JSON texts. */
export interface EventFields {
  identity: IdentityKind;
  clientTime: number | null;
  type: string;
  version: number;
  eventId: string | null;
  aggregateId: string | null;
  userId: string | null;
  anonymousId: string | null;
  sessionId: string | null;
  streamId: string | null;
  seq: number | null;
  country: string | null;
  city: string | null;
  device: string | null;
  appVersion: string | null;
  /** A decimal as the client wrote it, so that money never passes through a binary fraction. */
  revenue: string | null;
  currency: string | null;
  payload: string;
  context: string;
  metadata: string;
  /** received_at − sent_at of the request it came in, where the client told sent_at. */
  clockOffsetMs: number | null;
}
