// The batch: what an edge sends a collector. Per-event values lie in columns, so that a batch of 500
// is claimed, published and answered without touching one event's bytes.
import { fingerprintBytes, identityHashBytes } from "../event/identity.ts";
import { WeirError } from "../problem.ts";
import { pack, unpack } from "./msgpack.ts";
import { type Refusal, readRefusal, refusalPlaces } from "./refusal.ts";

export type { Refusal } from "./refusal.ts";

export const batchVersion = 1;

/** Up to 500 events of one project, or none in a canary. `count` events; every column has one entry an event, in order. */
export interface Batch {
  /** 16 bytes, a UUIDv7 made at the edge; a resend keeps it. */
  batchId: Uint8Array;
  project: string;
  /** Which edge instance made it, for logs and metrics. */
  edge: string;
  /** Edge clock, epoch ms. */
  receivedAt: number;
  /** W3C trace context of the request that opened the batch. */
  traceparent: string | null;
  count: number;
  /** 16 bytes an event; zeros for a refused one. */
  ids: Uint8Array;
  /** 16 bytes an event, the identity hash. */
  hashes: Uint8Array;
  /** 8 bytes an event; zeros where the identity's kind has none. */
  fingerprints: Uint8Array;
  /** One byte an event, bits of `flag`. */
  flags: Uint8Array;
  /** Bytes of each body. */
  sizes: readonly number[];
  /** The bodies, one after another: packed events, and the original bytes of refused ones. */
  bodies: Uint8Array;
  refusals: readonly Refusal[];
  /** Events a UTC day that the collector takes of the project; no part of the record, and none without it. */
  quota?: number | null | undefined;
}

/** What the collector answers: one outcome an event, durable when it arrives. */
export interface BatchAnswer {
  batchId: Uint8Array;
  /** One byte an event, a value of `outcome`. */
  outcomes: Uint8Array;
  /** The batch lies on the collector's disk and not in the log yet. */
  spooled?: boolean;
}

/** What the collector found for one event; `isPublished` groups the first three. */
export const outcome = { published: 0, inDoubt: 1, unchecked: 2, duplicate: 3, refused: 4 } as const;
export const isPublished = (code: number): boolean => code <= outcome.unchecked;

/**
 * The hop from edge to collector. `send` resolves once every event of the batch is durable or known to
 * be; it rejects with a WeirError otherwise, and then the same batch may be sent again under its id.
 */
export interface CollectorPort {
  send(batch: Batch): Promise<BatchAnswer>;
  /** Rejects with a WeirError while the collector cannot take batches. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** A batch as a msgpack array, its version first. */
export function packBatch(batch: Batch): Uint8Array {
  const places = [batchVersion, ...batchPlaces(batch)];
  return pack(batch.quota === undefined || batch.quota === null ? places : [...places, batch.quota]);
}

/** A batch's values in their order on the wire. */
export function batchPlaces(batch: Batch): unknown[] {
  return [
    batch.batchId,
    batch.project,
    batch.edge,
    batch.receivedAt,
    batch.traceparent,
    batch.count,
    batch.ids,
    batch.hashes,
    batch.fingerprints,
    batch.flags,
    batch.sizes,
    batch.bodies,
    batch.refusals.map(refusalPlaces),
  ];
}

/** How many places a batch takes in an array. */
export const batchPlacesCount = 13;

/** Reads a batch; `batch_version_unknown` for a later version, `batch_malformed` for anything else. */
export function unpackBatch(bytes: Uint8Array): Batch {
  let places: unknown;
  try {
    places = unpack(bytes);
  } catch (cause) {
    throw new WeirError("batch_malformed", "The batch is no msgpack value.", { cause });
  }
  if (!Array.isArray(places)) throw new WeirError("batch_malformed", "The batch is no array.");
  if (typeof places[0] === "number" && places[0] > batchVersion) {
    throw new WeirError(
      "batch_version_unknown",
      `This collector reads batches up to version ${batchVersion}.`,
    );
  }
  if (places[0] !== batchVersion) throw new WeirError("batch_malformed", "The batch has no version.");
  const batch = readBatch(places, 1);
  // Behind the places of a record, where readers that do not know it pass it over.
  const quota: unknown = places[1 + batchPlacesCount];
  return typeof quota === "number" && quota > 0 ? { ...batch, quota } : batch;
}

/** Reads a batch's places from `places[at]` on, checking every length against the count. */
export function readBatch(places: readonly unknown[], at: number): Batch {
  const [
    batchId,
    project,
    edge,
    receivedAt,
    traceparent,
    count,
    ids,
    hashes,
    fingerprints,
    flags,
    sizes,
    bodies,
    refusals,
  ] = places.slice(at, at + batchPlacesCount);
  const events = typeof count === "number" ? count : -1;
  const sound =
    isBytes(batchId, 16) &&
    typeof project === "string" &&
    typeof edge === "string" &&
    Number.isSafeInteger(receivedAt) &&
    (traceparent === null || typeof traceparent === "string") &&
    Number.isSafeInteger(events) &&
    events >= 0 &&
    isBytes(ids, events * 16) &&
    isBytes(hashes, events * identityHashBytes) &&
    isBytes(fingerprints, events * fingerprintBytes) &&
    isBytes(flags, events) &&
    Array.isArray(sizes) &&
    sizes.length === events &&
    sizes.every((size) => Number.isSafeInteger(size) && size >= 0) &&
    bodies instanceof Uint8Array &&
    sizes.reduce((sum, size) => sum + size, 0) === bodies.length &&
    Array.isArray(refusals);
  if (!sound) throw new WeirError("batch_malformed", "The batch's columns do not fit its count.");
  return {
    batchId,
    project,
    edge,
    receivedAt: receivedAt as number,
    traceparent,
    count: events,
    ids,
    hashes,
    fingerprints,
    flags,
    sizes: sizes as number[],
    bodies,
    refusals: refusals.map((refusal) => readRefusal(refusal, events)),
  };
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}
