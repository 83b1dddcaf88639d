// The record: one whole batch in the log with every event's outcome so far. It is its own receipt.
import { type Batch, batchPlaces, batchPlacesCount, isPublished, outcome, readBatch } from "./batch.ts";
import { pack, unpack } from "./msgpack.ts";

const recordVersion = 1;

/** Where a record stands in its collector's own numbering, from which lost records are found. */
export interface Receipt {
  /** The collector's name; with `start` it names one run of one process. */
  collector: string;
  /** When that process started, epoch ms. */
  start: number;
  /** This record's number, from 0 without gaps. */
  number: number;
  /** The lowest number whose fate was still open when this record was made. */
  lowestOpen: number;
  /** Numbers answered 503 since the record before: nothing of them was acknowledged. */
  givenUp: readonly number[];
  /** Whether this run acknowledges from a spool, too, and whether that was empty at its end; absent: it has none. */
  spool?: SpoolWord | undefined;
}

/** Without a spool a run is over when it ends; with one it is over once it says so, or the next one goes on. */
export type SpoolWord = (typeof spoolWord)[keyof typeof spoolWord];
export const spoolWord = { none: 0, open: 1, emptied: 2 } as const;

/** A batch, its outcomes (one byte an event) and its receipt. Bodies of duplicates are cut. */
export interface LogRecord {
  batch: Batch;
  outcomes: Uint8Array;
  receipt: Receipt;
}

/** Packs a record; the bodies of duplicates are left out, since the log has them already. */
export function packRecord(batch: Batch, outcomes: Uint8Array, receipt: Receipt): Uint8Array {
  const kept = outcomes.includes(outcome.duplicate) ? withoutDuplicates(batch, outcomes) : batch;
  return pack([
    recordVersion,
    ...batchPlaces(kept),
    outcomes,
    receipt.collector,
    receipt.start,
    receipt.number,
    receipt.lowestOpen,
    receipt.givenUp,
    // Left out where there is none, as it was before there was a word for it.
    ...(receipt.spool === undefined ? [] : [receipt.spool]),
  ]);
}

/** Reads a record of this version. Throws where the bytes are none; the whole record is then kept apart. */
export function unpackRecord(bytes: Uint8Array): LogRecord {
  const places = unpack(bytes);
  if (!Array.isArray(places) || places[0] !== recordVersion) throw new Error("not a record of version 1");
  const batch = readBatch(places, 1);
  const [outcomes, collector, start, number, lowestOpen, givenUp, spool] = places.slice(1 + batchPlacesCount);
  const sound =
    outcomes instanceof Uint8Array &&
    outcomes.length === batch.count &&
    outcomes.every((code) => code <= outcome.refused) &&
    typeof collector === "string" &&
    [start, number, lowestOpen].every(Number.isSafeInteger) &&
    Array.isArray(givenUp) &&
    givenUp.every(Number.isSafeInteger) &&
    (spool === undefined || Object.values(spoolWord).includes(spool as SpoolWord));
  if (!sound) throw new Error("a record whose receipt cannot be read");
  const receipt: Receipt = { collector, start, number, lowestOpen, givenUp };
  if (spool !== undefined) receipt.spool = spool as SpoolWord;
  return { batch, outcomes, receipt };
}

function withoutDuplicates(batch: Batch, outcomes: Uint8Array): Batch {
  const sizes = batch.sizes.map((size, index) => (outcomes[index] === outcome.duplicate ? 0 : size));
  const bodies = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let from = 0;
  let to = 0;
  for (let index = 0; index < batch.count; index += 1) {
    const size = batch.sizes[index]!;
    if (isPublished(outcomes[index]!) || outcomes[index] === outcome.refused) {
      bodies.set(batch.bodies.subarray(from, from + size), to);
      to += size;
    }
    from += size;
  }
  return { ...batch, sizes, bodies };
}
