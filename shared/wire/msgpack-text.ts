// Writing msgpack by hand where a general codec costs too much: texts, whole numbers and nil into bytes that
// are already there. https://github.com/msgpack/msgpack/blob/master/spec.md

const encoder = new TextEncoder();

/** Bytes a text takes at most: three a UTF-16 unit, and its head. */
export const textBound = (text: string | null): number => (text === null ? 1 : text.length * 3 + 5);

/** Bytes a whole number takes at most. */
export const integerBound = 9;

/** Writes a text or nil at `at`; answers the place after it. */
export function writeText(target: Uint8Array, at: number, text: string | null): number {
  if (text === null) {
    target[at] = 0xc0;
    return at + 1;
  }
  const length = text.length;
  // Up to this many units a loop beats the call of an encoder; nearly all texts are ASCII.
  if (length <= 128) {
    const start = writeTextHead(target, at, length);
    for (let unit = 0; unit < length; unit += 1) {
      const code = text.charCodeAt(unit);
      if (code > 0x7f) return writeEncoded(target, at, text);
      target[start + unit] = code;
    }
    return start + length;
  }
  return writeEncoded(target, at, text);
}

// Assumes that the bytes are as many as the units, and moves them where their head is longer after all.
function writeEncoded(target: Uint8Array, at: number, text: string): number {
  const start = at + headBytes(text.length);
  const { written } = encoder.encodeInto(text, target.subarray(start));
  const moved = at + headBytes(written);
  if (moved !== start) target.copyWithin(moved, start, start + written);
  writeTextHead(target, at, written);
  return moved + written;
}

const headBytes = (bytes: number): number => (bytes < 32 ? 1 : bytes < 0x100 ? 2 : bytes < 0x1_0000 ? 3 : 5);

function writeTextHead(target: Uint8Array, at: number, bytes: number): number {
  if (bytes < 32) {
    target[at] = 0xa0 | bytes;
    return at + 1;
  }
  if (bytes < 0x100) {
    target[at] = 0xd9;
    target[at + 1] = bytes;
    return at + 2;
  }
  if (bytes < 0x1_0000) {
    target[at] = 0xda;
    target[at + 1] = bytes >>> 8;
    target[at + 2] = bytes;
    return at + 3;
  }
  target[at] = 0xdb;
  writeUint32(target, at + 1, bytes);
  return at + 5;
}

/** Writes a whole number within ±(2^53 − 1), or nil, at `at`; answers the place after it. */
export function writeInteger(target: Uint8Array, at: number, value: number | null): number {
  if (value === null) {
    target[at] = 0xc0;
    return at + 1;
  }
  if (value >= 0 && value < 0x80) {
    target[at] = value;
    return at + 1;
  }
  // As a double, which holds all of them exactly; many readers give 64-bit integers as something else.
  scratch.setFloat64(0, value);
  target[at] = 0xcb;
  for (let byte = 0; byte < 8; byte += 1) target[at + 1 + byte] = scratchBytes[byte]!;
  return at + 9;
}

const scratchBytes = new Uint8Array(8);
const scratch = new DataView(scratchBytes.buffer);

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
