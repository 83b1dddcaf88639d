// What makes two receptions the same event: the identity, the id made of it, and the fingerprint.
import { canonical } from "./canonical.ts";

/** How an event's key was made, strongest first. The stored column `identity` holds this word. */
export const identityKinds = ["event_id", "sequence", "content", "arrival", "window"] as const;
export type IdentityKind = (typeof identityKinds)[number];

/** Kinds that may take two equal happenings for one, or one for two; the ledger counts them apart. */
export const isWeak = (kind: IdentityKind): boolean => kind === "content" || kind === "arrival";

/** Kinds without a fingerprint: the first copy stands, whatever else the later ones say. */
export const hasFingerprint = (kind: IdentityKind): boolean => kind !== "content" && kind !== "window";

/** Event by its client's own id. */
export const eventIdIdentity = (project: string, eventId: string): string =>
  `["event_id",${canonical(project)},${canonical(eventId)}]`;

/** Event by its place in a numbered stream. */
export const sequenceIdentity = (project: string, streamId: string, seq: number): string =>
  `["sequence",${canonical(project)},${canonical(streamId)},${seq}]`;

/** Event by what it says and when: `clientTime` in epoch ms, `payloadCanonical` as RFC 8785 text. */
export function contentIdentity(
  project: string,
  userId: string | undefined,
  anonymousId: string | undefined,
  type: string,
  clientTime: number,
  payloadCanonical: string,
): string {
  const head = canonical(["content", project, userId ?? null, anonymousId ?? null, type, clientTime]);
  return `${head.slice(0, -1)},${payloadCanonical}]`;
}

/** Event by the batch it came in, `batchId` as 32 hex characters: never equal to any other. */
export const arrivalIdentity = (batchId: string, index: number): string =>
  canonical(["arrival", batchId, index]);

/** Event by the window it falls into, `windowStart` in epoch ms. */
export function windowIdentity(
  project: string,
  userId: string | undefined,
  anonymousId: string | undefined,
  type: string,
  windowStart: number,
  discriminator: string | number | undefined,
): string {
  return canonical([
    "window",
    project,
    userId ?? null,
    anonymousId ?? null,
    type,
    windowStart,
    discriminator ?? null,
  ]);
}

/** The start of the window that holds `timeMs`; windows are counted from the epoch. */
export const windowStart = (timeMs: number, windowMs: number): number =>
  Math.floor(timeMs / windowMs) * windowMs;

/** Bytes of the identity hash (a digest's first 128 bits) and of the fingerprint (its first 64). */
export const identityHashBytes = 16;
export const fingerprintBytes = 8;

/**
 * Writes the 16-byte id for `eventTime` (epoch ms, 0 to 2^48 − 1) and `hash` (at least 10 bytes) into
 * `target` at `offset`. Layout of RFC 9562 UUIDv7: 48 bits of time, version 7, the hash's bits 0–11,
 * variant 10, the hash's bits 12–73.
 */
export function writeId(
  target: Uint8Array,
  offset: number,
  eventTime: number,
  hash: Uint8Array,
  at = 0,
): void {
  const high = Math.floor(eventTime / 0x1_0000);
  target[offset] = high >>> 24;
  target[offset + 1] = high >>> 16;
  target[offset + 2] = high >>> 8;
  target[offset + 3] = high;
  target[offset + 4] = (eventTime % 0x1_0000) >>> 8;
  target[offset + 5] = eventTime % 0x100;
  target[offset + 6] = 0x70 | (hash[at]! >>> 4);
  target[offset + 7] = (hash[at]! << 4) | (hash[at + 1]! >>> 4);
  // From bit 12 on: 6 bits beside the variant, then 56 bits, each byte taken across a byte border.
  target[offset + 8] = 0x80 | ((hash[at + 1]! & 0x0f) << 2) | (hash[at + 2]! >>> 6);
  for (let byte = 0; byte < 7; byte += 1) {
    target[offset + 9 + byte] = (hash[at + 2 + byte]! << 2) | (hash[at + 3 + byte]! >>> 6);
  }
}

/** The event time, epoch ms, that an id at `offset` of `bytes` carries. */
export function eventTimeOf(bytes: Uint8Array, offset = 0): number {
  const high =
    bytes[offset]! * 0x100_0000 + (bytes[offset + 1]! << 16) + (bytes[offset + 2]! << 8) + bytes[offset + 3]!;
  return high * 0x1_0000 + (bytes[offset + 4]! << 8) + bytes[offset + 5]!;
}
