// Msgpackr's `Packr` as far as an edge needs it, in a tenth of its size. Wrangler takes this in its place
// (`alias` in wrangler.jsonc), since a Worker's start and size are paid for; the bytes are the same.
import { textBound, writeText } from "../../shared/wire/msgpack-text.ts";
import { readHead, readScalar, skip } from "../msgpack-head.ts";

export class Packr {
  /** Packs null, truth values, numbers, texts, bytes, and arrays of them: all that a batch is made of. */
  pack(value: unknown): Uint8Array {
    const target = new Uint8Array(bound(value));
    return target.subarray(0, write(target, 0, value));
  }

  /** Reads one value without maps, as a collector answers. Throws where anything is broken or left over. */
  unpack(bytes: Uint8Array): unknown {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (skip(view, 0) !== bytes.length) throw new Error("bytes are left over");
    return read(view, 0);
  }
}

function bound(value: unknown): number {
  if (typeof value === "string") return textBound(value);
  if (value instanceof Uint8Array) return value.length + 5;
  if (Array.isArray(value)) return value.reduce((sum: number, member) => sum + bound(member), 5);
  return 9;
}

function write(target: Uint8Array, at: number, value: unknown): number {
  if (value === null || value === undefined) return single(target, at, 0xc0);
  if (typeof value === "boolean") return single(target, at, value ? 0xc3 : 0xc2);
  if (typeof value === "string") return writeText(target, at, value);
  if (typeof value === "number") return number(target, at, value);
  if (value instanceof Uint8Array) {
    const start = head(target, at, value.length, [0xc4, 0xc5, 0xc6]);
    target.set(value, start);
    return start + value.length;
  }
  if (!Array.isArray(value)) throw new Error("a batch holds no such value");
  let end = value.length < 16 ? single(target, at, 0x90 | value.length) : long(target, at, value.length);
  for (const member of value) end = write(target, end, member);
  return end;
}

const long = (target: Uint8Array, at: number, length: number): number =>
  head(target, at, length, [undefined, 0xdc, 0xdd]);

function number(target: Uint8Array, at: number, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32 && !Object.is(value, -0)) {
    return value < 0x80 ? single(target, at, value) : head(target, at, value, [0xcc, 0xcd, 0xce]);
  }
  single(target, at, 0xcb);
  new DataView(target.buffer).setFloat64(at + 1, value);
  return at + 9;
}

function single(target: Uint8Array, at: number, byte: number): number {
  target[at] = byte;
  return at + 1;
}

/** A type byte and a whole number behind it in one, two or four bytes, whichever is enough. */
function head(
  target: Uint8Array,
  at: number,
  value: number,
  [one, two, four]: readonly [number | undefined, number, number],
): number {
  const view = new DataView(target.buffer);
  if (one !== undefined && value < 0x100) {
    target[at] = one;
    view.setUint8(at + 1, value);
    return at + 2;
  }
  if (value < 0x1_0000) {
    target[at] = two;
    view.setUint16(at + 1, value);
    return at + 3;
  }
  target[at] = four;
  view.setUint32(at + 1, value);
  return at + 5;
}

function read(view: DataView, at: number): unknown {
  const { kind, at: start, size } = readHead(view, at);
  if (kind === "value") return readScalar(view, view.getUint8(at), start);
  if (kind === "map") throw new Error("a collector answers no map");
  if (kind === "array") {
    const members: unknown[] = [];
    for (let next = start; members.length < size; next = skip(view, next)) members.push(read(view, next));
    return members;
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, size);
  return kind === "text" ? new TextDecoder().decode(bytes) : bytes;
}
