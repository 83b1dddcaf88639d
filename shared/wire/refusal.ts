// A refused event as it stands in its batch: why, and what its request said about it.
import { type RefusalCode, refusalCodes, WeirError } from "../problem.ts";

/** A refused event of a batch; its body holds the original bytes as they came. */
export interface Refusal {
  index: number;
  code: RefusalCode;
  pointer: string;
  detail: string;
  origin?: RefusalOrigin | undefined;
  /** Its number in its client's stream, where it names one: a refused event leaves no gap. */
  place?: StreamPlace | undefined;
}

/** An event's number in the stream its client counts in. */
export interface StreamPlace {
  streamId: string;
  seq: number;
}

/** What the edge knew of a refused event beside its bytes, so that it can be judged again as it was. */
export interface RefusalOrigin {
  /** The version of Weir that refused it. */
  version: string;
  dialect: string;
  /** The identity asked for instead of the dialect's own, or null. */
  identity: string | null;
  /** Epoch ms, or null where the client did not say. */
  sentAt: number | null;
}

/** A refusal's values in their order on the wire. */
export function refusalPlaces({ index, code, pointer, detail, origin, place }: Refusal): unknown[] {
  const places: unknown[] = [index, code, pointer, detail];
  if (origin === undefined && place === undefined) return places;
  const { version = null, dialect = null, identity = null, sentAt = null } = origin ?? {};
  places.push(version, dialect, identity, sentAt);
  return place === undefined ? places : [...places, place.streamId, place.seq];
}

/** Reads a refusal of a batch of `count` events; `batch_malformed` where it cannot be one. */
export function readRefusal(value: unknown, count: number): Refusal {
  const [index, code, pointer, detail, ...origin] = Array.isArray(value) ? value : [];
  const sound =
    Number.isSafeInteger(index) &&
    index >= 0 &&
    index < count &&
    (refusalCodes as readonly unknown[]).includes(code) &&
    typeof pointer === "string" &&
    typeof detail === "string";
  if (!sound) throw new WeirError("batch_malformed", "A refusal in the batch cannot be read.");
  const known = readOrigin(origin);
  const place = readPlace(origin);
  return { index, code, pointer, detail, ...(known && { origin: known }), ...(place && { place }) };
}

function readPlace([, , , , streamId, seq]: readonly unknown[]): StreamPlace | undefined {
  return typeof streamId === "string" && Number.isSafeInteger(seq)
    ? { streamId, seq: seq as number }
    : undefined;
}

// Edges before these places were there leave them out; what cannot be read is worth less than the event.
function readOrigin([version, dialect, identity, sentAt]: readonly unknown[]): RefusalOrigin | undefined {
  if (typeof version !== "string" || typeof dialect !== "string") return undefined;
  return {
    version,
    dialect,
    identity: typeof identity === "string" ? identity : null,
    sentAt: Number.isSafeInteger(sentAt) ? (sentAt as number) : null,
  };
}
