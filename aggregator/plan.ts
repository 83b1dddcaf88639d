// What one transaction will do with its events, decided before it begins: which are kept, which are
// copies of another in the same transaction, and the rows of the kept ones, ready to be sent.
import { flag } from "../shared/event/event.ts";
import { eventTimeOf, fingerprintBytes } from "../shared/event/identity.ts";
import { isPublished } from "../shared/wire/batch.ts";
import { unpackEvent } from "../shared/wire/packed-event.ts";
import { CopyBytes } from "./copy-bytes.ts";
import { bodyOf, type DecodedRecord, unmovedId } from "./decode.ts";
import { putRow } from "./rows.ts";

/** What becomes of a published event. */
export type Fate = "stored" | "duplicate" | "conflict" | "unwritable" | "expired" | "erased";

/** A published event. `key` is its id, 16 bytes as a latin1 text, which sorts as uuid does. */
export interface Candidate {
  decoded: DecodedRecord;
  index: number;
  key: string;
  /** The event time in its id, epoch ms. */
  time: number;
  fate: Fate;
  /** The kept event of this transaction that it is a copy of. */
  first: Candidate | undefined;
  /** The fingerprint of what the store holds in its place, once it was looked up and found. */
  stored: Buffer | undefined;
  /** Of a moved event: the id it would have had, were its client's clock right; undefined without one. */
  isMoved: boolean;
  unmovedKey: string | undefined;
  /** Where its row lies among the plan's rows. */
  rowStart: number;
  rowEnd: number;
  /** Where in it the stream's id begins, the fields behind it in the order of `eventColumns`. */
  streamAt: number;
}

/** Candidates in the order of the log; `kept` those to be stored, in key order, with their rows. */
export interface Plan {
  candidates: Candidate[];
  kept: Candidate[];
  rows: CopyBytes;
  /** What no row can be made of, by place, with the reason. */
  unwritable: Map<string, string>;
}

/** Time given back to the event loop after so much work, so that the transaction under way is fed. */
const turnMs = 4;
/** What a row takes beyond its event's packed bytes: lengths, times, ids. Too little only costs a copy. */
const rowOverhead = 208;

export const placeOf = (one: Candidate): string => `${one.decoded.batchId}/${one.index}`;

/** Plans the records of one transaction. `unwritable` are events already known to be refused. */
export async function makePlan(
  records: readonly DecodedRecord[],
  unwritable: Map<string, string>,
): Promise<Plan> {
  for (;;) {
    const candidates = dropCopies(records, unwritable);
    const kept = candidates.filter((one) => one.fate === "stored");
    kept.sort((left, right) => (left.key < right.key ? -1 : 1));
    const known = unwritable.size;
    const rows = await encode(kept, unwritable);
    // An event that has no row may have hidden its copies: what it hid is planned anew without it.
    if (unwritable.size === known) return { candidates, kept, rows, unwritable };
  }
}

/** The rows of the events still kept: all of them, or those left after some were found to be copies. */
export function rowsToSend({ kept, rows }: Plan): Uint8Array {
  const left = kept.filter((one) => one.fate === "stored");
  if (left.length === kept.length) return rows.bytes.subarray(0, rows.at);
  return Buffer.concat(left.map((one) => rows.bytes.subarray(one.rowStart, one.rowEnd)));
}

/** Gives every event that the store holds already its fate, and its copies here theirs, by what is stored. */
export function judgeByStored({ candidates }: Plan): void {
  for (const one of candidates) {
    const stored = one.fate === "unwritable" ? undefined : (one.first ?? one).stored;
    if (stored !== undefined) one.fate = fingerprintOf(one).equals(stored) ? "duplicate" : "conflict";
  }
}

/** The 8 bytes of an event's fingerprint. */
export function fingerprintOf({ decoded, index }: Candidate): Buffer {
  const { fingerprints } = decoded.record.batch;
  return Buffer.from(
    fingerprints.buffer,
    fingerprints.byteOffset + index * fingerprintBytes,
    fingerprintBytes,
  );
}

/** The 16 bytes of an event's identity hash as a latin1 text. */
export const hashOf = ({ decoded, index }: Candidate): string =>
  viewOf(decoded.record.batch.hashes).toString("latin1", index * 16, index * 16 + 16);

// The same rules as the store's own: the id decides, and for moved events the identity hash.
function dropCopies(records: readonly DecodedRecord[], unwritable: Map<string, string>): Candidate[] {
  const candidates: Candidate[] = [];
  const byKey = new Map<string, Candidate>();
  const movedByHash = new Map<string, Candidate>();
  const refused = new Map<string, Candidate>();
  for (const decoded of records) {
    const { batch, outcomes } = decoded.record;
    const ids = viewOf(batch.ids);
    for (let index = 0; index < batch.count; index += 1) {
      if (!isPublished(outcomes[index]!)) continue;
      const one: Candidate = {
        decoded,
        index,
        key: ids.toString("latin1", index * 16, index * 16 + 16),
        time: eventTimeOf(batch.ids, index * 16),
        fate: "stored",
        first: undefined,
        stored: undefined,
        isMoved: false,
        unmovedKey: undefined,
        rowStart: 0,
        rowEnd: 0,
        streamAt: 0,
      };
      candidates.push(one);
      if (unwritable.size > 0 && isRefused(one, unwritable, refused)) {
        one.fate = "unwritable";
        continue;
      }
      if ((batch.flags[index]! & flag.moved) !== 0) readMoved(one);
      const first =
        byKey.get(one.key) ??
        (movedByHash.size > 0 ? movedByHash.get(hashOf(one)) : undefined) ??
        (one.unmovedKey === undefined ? undefined : byKey.get(one.unmovedKey));
      if (first !== undefined) {
        one.first = first;
        one.fate = fingerprintOf(one).equals(fingerprintOf(first)) ? "duplicate" : "conflict";
        continue;
      }
      byKey.set(one.key, one);
      if (one.isMoved) movedByHash.set(hashOf(one), one);
    }
  }
  return candidates;
}

// The very bytes of a refused event are refused again, so its copies need no trial of their own. They are
// named too: the first one's batch may turn out to be known, and then only they are planned.
function isRefused(
  one: Candidate,
  unwritable: Map<string, string>,
  refused: Map<string, Candidate>,
): boolean {
  const first = refused.get(hashOf(one));
  const isCopy =
    first !== undefined &&
    Buffer.compare(bodyOf(first.decoded, first.index), bodyOf(one.decoded, one.index)) === 0;
  if (isCopy) unwritable.set(placeOf(one), unwritable.get(placeOf(first)) ?? "");
  else if (unwritable.has(placeOf(one))) refused.set(hashOf(one), one);
  else return false;
  return true;
}

// An `arrival` has no copies beyond its own batch, so its moved time needs no care. What cannot be read
// here fails again when its row is made, and is named there.
function readMoved(one: Candidate): void {
  try {
    const event = unpackEvent(bodyOf(one.decoded, one.index));
    if (event.identity === "arrival") return;
    one.isMoved = true;
    one.unmovedKey = unmovedId(one.decoded, one.index, event.clientTime)?.toString("latin1");
  } catch {}
}

async function encode(kept: readonly Candidate[], unwritable: Map<string, string>): Promise<CopyBytes> {
  const bodies = kept.reduce((sum, { decoded, index }) => sum + decoded.record.batch.sizes[index]!, 0);
  const rows = new CopyBytes(bodies + kept.length * rowOverhead);
  let turn = performance.now();
  for (let at = 0; at < kept.length; at += 1) {
    const one = kept[at]!;
    one.rowStart = rows.at;
    try {
      const { record, bodyStarts } = one.decoded;
      const start = bodyStarts[one.index]!;
      putRow(rows, record.batch, one.index, start, start + record.batch.sizes[one.index]!);
      one.streamAt = rows.mark;
    } catch (error) {
      rows.at = one.rowStart;
      unwritable.set(placeOf(one), error instanceof Error ? error.message : "unknown");
    }
    one.rowEnd = rows.at;
    if ((at & 63) === 63 && performance.now() - turn > turnMs) {
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
  }
  return rows;
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
