// Reads the numbered events of one transaction: which stream each belongs to, and what it says of it.
import { hasFingerprint, type IdentityKind } from "../../shared/event/identity.ts";
import { identifierLengthMax } from "../../shared/limits.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { bodyOf } from "../decode.ts";
import type { Candidate, Plan } from "../plan.ts";

/** One number of a stream that has an outcome. */
export interface Numbered {
  project: string;
  streamId: string;
  seq: number;
  /** Epoch ms. */
  time: number;
  clockOffsetMs: number | null;
  /** Numbers of its stream that its client says it gave up, up to this event. */
  lost: number;
  /** Its stored row, which tells where the stream was seen last; undefined for what is not stored. */
  row: StoredRow | undefined;
}

/** A row as it was sent to the store. `streamAt` is where the fields from the stream's id on begin. */
export interface StoredRow {
  key: string;
  bytes: Buffer;
  streamAt: number;
}

/** Places behind the stream's id, in the order of `eventColumns`. */
const behind = { seq: 1, country: 2, device: 4, appVersion: 5, context: 9, clockOffset: 11 } as const;
const identityPlace = 6;

/**
 * Every published event of a numbered stream but the duplicates, whose numbers came with their first copy.
 * A kind without a fingerprint leaves the number open, so that a copy may carry another: it numbers nothing.
 */
export function* numberedEvents({ candidates, rows }: Plan): Iterable<Numbered> {
  for (const one of candidates) {
    if (one.fate === "duplicate") continue;
    // The packed bytes are not read a second time where a row was made of them.
    const found = one.fate === "stored" ? readRow(one, rows.bytes) : readBody(one);
    if (found !== undefined) yield found;
  }
}

/** Whether a row can hold the stream and its number: what it could not would stop the partition for ever. */
export const isPlace = (streamId: string, seq: number): boolean =>
  isName(streamId) && Number.isSafeInteger(seq) && seq >= 0;

const isName = (text: string): boolean =>
  text !== "" && text.length <= identifierLengthMax && !text.includes("\0") && text.isWellFormed();

/** What a stream's newest stored event said of its circumstances; each null where it said nothing. */
export function circumstancesOf({ bytes, streamAt }: StoredRow) {
  return {
    country: textAt(bytes, fieldAt(bytes, streamAt, behind.country)),
    device: textAt(bytes, fieldAt(bytes, streamAt, behind.device)),
    app_version: textAt(bytes, fieldAt(bytes, streamAt, behind.appVersion)),
    browser: browserOf(contextOf(bytes, streamAt)),
  };
}

function readRow(one: Candidate, bytes: Buffer): Numbered | undefined {
  const { streamAt } = one;
  if (bytes.readInt32BE(streamAt) === -1) return undefined;
  const seqAt = fieldAt(bytes, streamAt, behind.seq);
  if (bytes.readInt32BE(seqAt) === -1) return undefined;
  const kind = textAt(bytes, fieldAt(bytes, one.rowStart + 2, identityPlace)) as IdentityKind;
  if (!hasFingerprint(kind)) return undefined;
  const streamId = textAt(bytes, streamAt) ?? "";
  const seq = intAt(bytes, seqAt) ?? -1;
  if (!isPlace(streamId, seq)) return undefined;
  return {
    project: one.decoded.record.batch.project,
    streamId,
    seq,
    time: one.time,
    clockOffsetMs: intAt(bytes, fieldAt(bytes, seqAt, behind.clockOffset - behind.seq)),
    lost: lostOf(contextOf(bytes, streamAt)),
    row: { key: one.key, bytes, streamAt },
  };
}

// A conflict, or an event that no row can hold: it has an outcome, and its number with it.
function readBody({ decoded, index, time }: Candidate): Numbered | undefined {
  try {
    const event = unpackEvent(bodyOf(decoded, index));
    const { streamId, seq, clockOffsetMs, identity } = event;
    if (streamId === null || seq === null || !hasFingerprint(identity) || !isPlace(streamId, seq)) return;
    const context = Buffer.from(event.context);
    const { project } = decoded.record.batch;
    return { project, streamId, seq, time, clockOffsetMs, lost: lostOf(context), row: undefined };
  } catch {
    return undefined;
  }
}

// A context is read only where it names what is looked for: most do not.
const lostName = Buffer.from('"lost":');
const browserName = Buffer.from('"browser":');

function lostOf(context: Buffer): number {
  const lost = context.includes(lostName) ? memberOf(context, "lost") : 0;
  return Number.isSafeInteger(lost) && (lost as number) > 0 ? (lost as number) : 0;
}

function browserOf(context: Buffer): string | null {
  const browser = context.includes(browserName) ? memberOf(context, "browser") : null;
  return typeof browser === "string" && isName(browser) ? browser : null;
}

function memberOf(context: Buffer, name: string): unknown {
  try {
    return (JSON.parse(context.toString("utf8")) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

// The text of a jsonb field, behind the one byte of its version.
function contextOf(bytes: Buffer, streamAt: number): Buffer {
  const at = fieldAt(bytes, streamAt, behind.context);
  return bytes.subarray(at + 5, at + 4 + bytes.readInt32BE(at));
}

/** Where the field begins that lies `places` behind the one at `at`. */
function fieldAt(bytes: Buffer, at: number, places: number): number {
  let found = at;
  for (let place = 0; place < places; place += 1) found += 4 + Math.max(0, bytes.readInt32BE(found));
  return found;
}

function textAt(bytes: Buffer, at: number): string | null {
  const length = bytes.readInt32BE(at);
  return length === -1 ? null : bytes.toString("utf8", at + 4, at + 4 + length);
}

function intAt(bytes: Buffer, at: number): number | null {
  return bytes.readInt32BE(at) === -1 ? null : Number(bytes.readBigInt64BE(at + 4));
}
