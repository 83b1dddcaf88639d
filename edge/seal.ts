// Seal: gathered events to one batch in its columns, ready for the wire.
import { toHex } from "../shared/event/bytes.ts";
import type { Hash } from "../shared/event/hash.ts";
import { arrivalIdentity, fingerprintBytes, identityHashBytes, writeId } from "../shared/event/identity.ts";
import type { Batch, Refusal } from "../shared/wire/batch.ts";
import type { KeyedEvent } from "./key.ts";
import { storableText } from "./text.ts";

/** What is known of a batch beside its events. */
export type BatchHead = Pick<Batch, "batchId" | "project" | "edge" | "receivedAt" | "traceparent">;

/** Fills the columns. Events without an identity get the one of their place, which is known only now. */
export async function seal(head: BatchHead, events: readonly KeyedEvent[], hash: Hash): Promise<Batch> {
  const arrivals = await hashArrivals(head.batchId, events, hash);
  const count = events.length;
  const ids = new Uint8Array(count * 16);
  const hashes = new Uint8Array(count * identityHashBytes);
  const fingerprints = new Uint8Array(count * fingerprintBytes);
  const flags = new Uint8Array(count);
  const sizes: number[] = new Array(count);
  const bodies = new Uint8Array(events.reduce((sum, event) => sum + event.body.length, 0));
  const refusals: Refusal[] = [];
  let bodyAt = 0;
  for (let index = 0; index < count; index += 1) {
    const event = events[index]!;
    const identityHash = event.identityHash ?? arrivals.get(index)!;
    if (event.fault === undefined) writeId(ids, index * 16, event.eventTime, identityHash);
    else {
      const { code, pointer, detail } = event.fault;
      refusals.push({ index, code, pointer: storableText(pointer), detail });
    }
    copy(identityHash, hashes, index * identityHashBytes, identityHashBytes);
    if (event.fingerprint) copy(event.fingerprint, fingerprints, index * fingerprintBytes, fingerprintBytes);
    flags[index] = event.flags;
    sizes[index] = event.body.length;
    bodies.set(event.body, bodyAt);
    bodyAt += event.body.length;
  }
  return { ...head, count, ids, hashes, fingerprints, flags, sizes, bodies, refusals };
}

async function hashArrivals(
  batchId: Uint8Array,
  events: readonly KeyedEvent[],
  hash: Hash,
): Promise<Map<number, Uint8Array>> {
  const places = events.flatMap((event, index) => (event.identityHash === undefined ? [index] : []));
  if (places.length === 0) return new Map();
  const id = toHex(batchId);
  const digests = await hash(places.map((index) => arrivalIdentity(id, index)));
  return new Map(places.map((index, at) => [index, digests[at]!]));
}

// A loop over a few bytes is faster than a view and a `set`.
function copy(from: Uint8Array, to: Uint8Array, at: number, bytes: number): void {
  for (let byte = 0; byte < bytes; byte += 1) to[at + byte] = from[byte]!;
}
