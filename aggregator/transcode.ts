// A packed event's bytes to a row's bytes in one pass: its texts are copied, never made into strings.
import { identityKinds } from "../shared/event/identity.ts";
import type { CopyBytes } from "./copy-bytes.ts";

/** The head of an array of 22 and the packed form's version. */
const head = [0xdc, 0, 22, 1] as const;
const nil = 0xc0;
const float64 = 0xcb;

/**
 * Writes the fields of the packed event at `start` of `bytes` in the order they are packed, clock offset
 * last. Answers false, leaving a part of them behind, at the first value in a form that the edge's own
 * packing does not use: `unpackEvent` then reads it, or says what is wrong with it.
 */
export function transcode(rows: CopyBytes, bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = 0; at < head.length; at += 1) if (bytes[start + at] !== head[at]) return false;
  const kind = identityKinds[bytes[start + 4]!];
  if (kind === undefined) return false;
  rows.text(kind);
  const from: Cursor = { bytes, at: start + 5, end };
  return (
    putTime(rows, from) &&
    putText(rows, from, true) &&
    putInt4(rows, from) &&
    putTexts(rows, from, 5) &&
    putMarked(rows, from) &&
    putInt8(rows, from) &&
    putTexts(rows, from, 4) &&
    putDecimal(rows, from) &&
    putText(rows, from, false) &&
    putJson(rows, from) &&
    putJson(rows, from) &&
    putJson(rows, from) &&
    putInt8(rows, from) &&
    from.at === end
  );
}

interface Cursor {
  bytes: Uint8Array;
  at: number;
  end: number;
}

const scratch = new DataView(new ArrayBuffer(8));

// Whole numbers are packed below 128 as one byte, else as a double; anything else is undefined here.
function takeNumber(from: Cursor): number | null | undefined {
  const code = from.bytes[from.at]!;
  if (code < 0x80) {
    from.at += 1;
    return code;
  }
  if (code === nil) {
    from.at += 1;
    return null;
  }
  if (code !== float64 || from.at + 9 > from.end) return undefined;
  for (let byte = 0; byte < 8; byte += 1) scratch.setUint8(byte, from.bytes[from.at + 1 + byte]!);
  from.at += 9;
  const value = scratch.getFloat64(0);
  return Number.isSafeInteger(value) ? value : undefined;
}

// The length of the text that follows, the cursor on its first byte; −1 for nil, −2 for anything else.
function takeLength(from: Cursor): number {
  const { bytes } = from;
  const code = bytes[from.at]!;
  let length = -2;
  let size = 1;
  if (code >= 0xa0 && code < 0xc0) length = code & 0x1f;
  else if (code === nil) length = -1;
  else if (code === 0xd9) {
    length = bytes[from.at + 1]!;
    size = 2;
  } else if (code === 0xda) {
    length = bytes[from.at + 1]! * 0x100 + bytes[from.at + 2]!;
    size = 3;
  } else if (code === 0xdb) {
    length = ((bytes[from.at + 1]! << 24) >>> 0) + (bytes[from.at + 2]! << 16);
    length += bytes[from.at + 3]! * 0x100 + bytes[from.at + 4]!;
    size = 5;
  }
  from.at += size;
  return from.at + length > from.end ? -2 : length;
}

function putTime(rows: CopyBytes, from: Cursor): boolean {
  const value = takeNumber(from);
  if (value === undefined) return false;
  rows.time(value);
  return true;
}

function putInt8(rows: CopyBytes, from: Cursor): boolean {
  const value = takeNumber(from);
  if (value === undefined) return false;
  rows.int8(value);
  return true;
}

function putInt4(rows: CopyBytes, from: Cursor): boolean {
  const value = takeNumber(from);
  if (value === undefined || value === null || (value | 0) !== value) return false;
  rows.int4(value);
  return true;
}

function putText(rows: CopyBytes, from: Cursor, isNeeded: boolean): boolean {
  const length = takeLength(from);
  if (length === -2 || (isNeeded && length === -1)) return false;
  if (length === -1) rows.null();
  else rows.raw(from.bytes, from.at, length);
  if (length > 0) from.at += length;
  return true;
}

function putMarked(rows: CopyBytes, from: Cursor): boolean {
  rows.mark = rows.at;
  return putText(rows, from, false);
}

function putTexts(rows: CopyBytes, from: Cursor, count: number): boolean {
  for (let text = 0; text < count; text += 1) if (!putText(rows, from, false)) return false;
  return true;
}

// Decimals are ASCII; any other character is none of a decimal's either.
function putDecimal(rows: CopyBytes, from: Cursor): boolean {
  const length = takeLength(from);
  if (length === -2) return false;
  if (length === -1) {
    rows.null();
    return true;
  }
  let text = "";
  for (let at = 0; at < length; at += 1) text += String.fromCharCode(from.bytes[from.at + at]!);
  from.at += length;
  rows.numeric(text);
  return true;
}

function putJson(rows: CopyBytes, from: Cursor): boolean {
  const length = takeLength(from);
  if (length < 0) return false;
  rows.rawJsonb(from.bytes, from.at, length);
  from.at += length;
  return true;
}
