// An event's opaque form: packed once at the edge, unpacked once by the aggregator.
import type { EventFields } from "../event/event.ts";
import { identityKinds } from "../event/identity.ts";
import { unpack } from "./msgpack.ts";
import { integerBound, textBound, writeInteger, writeText } from "./msgpack-text.ts";

const packedVersion = 1;
const places = 22;

/** Bytes that `writeEvent` takes at most. */
export function packedBound(event: EventFields): number {
  let bound = 5 + 6 * integerBound + textBound(event.type);
  bound += textBound(event.eventId) + textBound(event.aggregateId) + textBound(event.userId);
  bound += textBound(event.anonymousId) + textBound(event.sessionId) + textBound(event.streamId);
  bound += textBound(event.country) + textBound(event.city) + textBound(event.device);
  bound += textBound(event.appVersion) + textBound(event.revenue) + textBound(event.currency);
  return bound + textBound(event.payload) + textBound(event.context) + textBound(event.metadata);
}

/**
 * Writes an event's fields as a msgpack array at `start`, where `packedBound` bytes are free: version
 * first, the rest by place. Answers the place after it.
 */
export function writeEvent(target: Uint8Array, start: number, event: EventFields): number {
  target[start] = 0xdc;
  target[start + 1] = 0;
  target[start + 2] = places;
  target[start + 3] = packedVersion;
  target[start + 4] = identityKinds.indexOf(event.identity);
  let at = writeInteger(target, start + 5, event.clientTime);
  at = writeText(target, at, event.type);
  at = writeInteger(target, at, event.version);
  at = writeText(target, at, event.eventId);
  at = writeText(target, at, event.aggregateId);
  at = writeText(target, at, event.userId);
  at = writeText(target, at, event.anonymousId);
  at = writeText(target, at, event.sessionId);
  at = writeText(target, at, event.streamId);
  at = writeInteger(target, at, event.seq);
  at = writeText(target, at, event.country);
  at = writeText(target, at, event.city);
  at = writeText(target, at, event.device);
  at = writeText(target, at, event.appVersion);
  at = writeText(target, at, event.revenue);
  at = writeText(target, at, event.currency);
  at = writeText(target, at, event.payload);
  at = writeText(target, at, event.context);
  at = writeText(target, at, event.metadata);
  return writeInteger(target, at, event.clockOffsetMs);
}

/** Packs one event into bytes of its own. */
export function packEvent(event: EventFields): Uint8Array {
  const bytes = new Uint8Array(packedBound(event));
  return bytes.subarray(0, writeEvent(bytes, 0, event));
}

/** Reads what packEvent wrote. Throws where the bytes are no event of a known version. */
export function unpackEvent(bytes: Uint8Array): EventFields {
  const place = unpack(bytes);
  if (!Array.isArray(place) || place[0] !== packedVersion) throw new Error("not a packed event of version 1");
  const identity = identityKinds[place[1] as number];
  if (identity === undefined || typeof place[3] !== "string")
    throw new Error("a packed event without kind or type");
  return {
    identity,
    clientTime: place[2],
    type: place[3],
    version: place[4],
    eventId: place[5],
    aggregateId: place[6],
    userId: place[7],
    anonymousId: place[8],
    sessionId: place[9],
    streamId: place[10],
    seq: place[11],
    country: place[12],
    city: place[13],
    device: place[14],
    appVersion: place[15],
    revenue: place[16],
    currency: place[17],
    payload: place[18],
    context: place[19],
    metadata: place[20],
    clockOffsetMs: place[21],
  };
}
