// An event's opaque form: packed once at the edge, unpacked once by the aggregator.
import type { EventFields } from "../event/event.ts";
import { identityKinds } from "../event/identity.ts";
import { pack, unpack } from "./msgpack.ts";

const packedVersion = 1;

/** Packs an event's fields as a msgpack array: version first, the rest by place. */
export function packEvent(event: EventFields): Uint8Array {
  return pack([
    packedVersion,
    identityKinds.indexOf(event.identity),
    event.clientTime,
    event.type,
    event.version,
    event.eventId,
    event.aggregateId,
    event.userId,
    event.anonymousId,
    event.sessionId,
    event.streamId,
    event.seq,
    event.country,
    event.city,
    event.device,
    event.appVersion,
    event.revenue,
    event.currency,
    event.payload,
    event.context,
    event.metadata,
    event.clockOffsetMs,
  ]);
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
