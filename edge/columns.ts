// The columns of a batch while it is gathered: each event is written into its place once, and packed there.
import { toHex } from "../shared/event/bytes.ts";
import { digestBytes, type Hash } from "../shared/event/hash.ts";
import { arrivalIdentity, fingerprintBytes, identityHashBytes, writeId } from "../shared/event/identity.ts";
import { batchBytesMax, batchEventsMax } from "../shared/limits.ts";
import type { Batch, Refusal } from "../shared/wire/batch.ts";
import { packedBound, writeEvent } from "../shared/wire/packed-event.ts";
import { EventFault } from "./fault.ts";
import type { KeyedEvent } from "./key.ts";
import { storableText } from "./text.ts";

/** What is known of a batch beside its events. */
export type BatchHead = Pick<Batch, "batchId" | "project" | "edge" | "receivedAt" | "traceparent" | "quota">;

export interface Columns {
  readonly count: number;
  /** Packed bytes so far, columns included. */
  readonly bytes: number;
  /** Takes an event, or answers false where it does not fit; the first one always does. */
  append(event: KeyedEvent): boolean;
  /** The batch. Events without an identity get that of their place, which is known only now. */
  seal(head: BatchHead, hash: Hash): Promise<Batch>;
}

// What columns and msgpack add to a body: id, hash, fingerprint, flag and size.
const bytesPerEvent = 48;

/** Empty columns; `expected` events are made room for, more make more. */
export function createColumns(expected: number): Columns {
  let room = Math.max(1, Math.min(expected, batchEventsMax));
  let ids = new Uint8Array(room * 16);
  let hashes = new Uint8Array(room * identityHashBytes);
  let fingerprints = new Uint8Array(room * fingerprintBytes);
  let flags = new Uint8Array(room);
  let bodies = new Uint8Array(room * 512);
  let bodiesEnd = 0;
  const sizes: number[] = [];
  const refusals: Refusal[] = [];
  // Events that still need the identity of their place.
  const arrivals: { index: number; eventTime: number | undefined }[] = [];

  return {
    get count() {
      return sizes.length;
    },
    get bytes() {
      return bodiesEnd + sizes.length * bytesPerEvent;
    },
    append(keyed) {
      const index = sizes.length;
      if (index === batchEventsMax) return false;
      const { event } = keyed;
      const isRefused = event instanceof EventFault;
      const end = isRefused ? writeOriginal(keyed.original!) : writePacked(event.fields);
      if (index > 0 && end + (index + 1) * bytesPerEvent > batchBytesMax) return false;
      if (index === room) grow();
      if (isRefused) {
        const { code, pointer, detail } = event;
        const { origin, place } = keyed;
        refusals.push({ index, code, pointer: storableText(pointer), detail, origin, place });
      }
      const eventTime = isRefused ? undefined : event.eventTime;
      if (keyed.identityAt < 0) arrivals.push({ index, eventTime });
      else writeIdentity(index, eventTime, keyed.digests, keyed.identityAt);
      if (keyed.fingerprintAt >= 0) {
        copy(keyed.digests, keyed.fingerprintAt, fingerprints, index * fingerprintBytes, fingerprintBytes);
      }
      flags[index] = keyed.flags;
      sizes.push(end - bodiesEnd);
      bodiesEnd = end;
      return true;
    },
    async seal(head, hash) {
      if (arrivals.length > 0) {
        const id = toHex(head.batchId);
        const digests = await hash(arrivals.map(({ index }) => arrivalIdentity(id, index)));
        for (const [at, { index, eventTime }] of arrivals.entries()) {
          writeIdentity(index, eventTime, digests, at * digestBytes);
        }
      }
      const count = sizes.length;
      return {
        ...head,
        count,
        ids: ids.subarray(0, count * 16),
        hashes: hashes.subarray(0, count * identityHashBytes),
        fingerprints: fingerprints.subarray(0, count * fingerprintBytes),
        flags: flags.subarray(0, count),
        sizes,
        bodies: bodies.subarray(0, bodiesEnd),
        refusals,
      };
    },
  };

  // A refused event has no time that could be trusted, and so no id.
  function writeIdentity(
    index: number,
    eventTime: number | undefined,
    digests: Uint8Array,
    at: number,
  ): void {
    copy(digests, at, hashes, index * identityHashBytes, identityHashBytes);
    if (eventTime !== undefined) writeId(ids, index * 16, eventTime, digests, at);
  }

  function writePacked(fields: Parameters<typeof writeEvent>[2]): number {
    reserve(packedBound(fields));
    return writeEvent(bodies, bodiesEnd, fields);
  }

  function writeOriginal(original: Uint8Array): number {
    reserve(original.length);
    bodies.set(original, bodiesEnd);
    return bodiesEnd + original.length;
  }

  function reserve(bytes: number): void {
    if (bodiesEnd + bytes > bodies.length)
      bodies = larger(bodies, Math.max(bodiesEnd + bytes, bodies.length * 2));
  }

  function grow(): void {
    room = Math.min(room * 4, batchEventsMax);
    ids = larger(ids, room * 16);
    hashes = larger(hashes, room * identityHashBytes);
    fingerprints = larger(fingerprints, room * fingerprintBytes);
    flags = larger(flags, room);
  }
}

function larger(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(size);
  grown.set(bytes);
  return grown;
}

// A loop over a few bytes is faster than a view and a `set`.
function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, bytes: number): void {
  for (let byte = 0; byte < bytes; byte += 1) to[toAt + byte] = from[fromAt + byte]!;
}
