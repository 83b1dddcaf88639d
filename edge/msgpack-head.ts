// The structure of msgpack: what stands at a place, and where the next value begins.
// https://github.com/msgpack/msgpack/blob/master/spec.md
import { WeirError } from "../shared/problem.ts";

/** What stands at a place: `size` is a length in bytes, or a count of elements or members. */
export interface Head {
  kind: "value" | "text" | "binary" | "array" | "map";
  /** Where the content begins. */
  at: number;
  size: number;
}

/** The place after the value at `from`. Counts what is still to come instead of recursing. */
export function skip(view: DataView, from: number): number {
  let at = from;
  for (let left = 1; left > 0; left -= 1) {
    const head = readHead(view, at);
    at = head.at;
    if (head.kind === "array") left += head.size;
    else if (head.kind === "map") left += head.size * 2;
    else at += head.size;
    if (at > view.byteLength) throw malformed("The msgpack value is cut off.");
  }
  return at;
}

const sizes: Readonly<Record<number, readonly [Head["kind"], width: number, extra: number]>> = {
  196: ["binary", 1, 0],
  197: ["binary", 2, 0],
  198: ["binary", 4, 0],
  199: ["binary", 1, 1],
  200: ["binary", 2, 1],
  201: ["binary", 4, 1],
  217: ["text", 1, 0],
  218: ["text", 2, 0],
  219: ["text", 4, 0],
  220: ["array", 2, 0],
  221: ["array", 4, 0],
  222: ["map", 2, 0],
  223: ["map", 4, 0],
};
const scalarBytes = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];

/** The head at a place. Throws `body_malformed` where the bytes end or mean nothing. */
export function readHead(view: DataView, at: number): Head {
  if (at >= view.byteLength) throw malformed("The msgpack value is cut off.");
  const type = view.getUint8(at);
  const next = at + 1;
  if (type <= 0x7f || type >= 0xe0) return { kind: "value", at: next, size: 0 };
  if (type <= 0x8f) return { kind: "map", at: next, size: type & 0x0f };
  if (type <= 0x9f) return { kind: "array", at: next, size: type & 0x0f };
  if (type <= 0xbf) return { kind: "text", at: next, size: type & 0x1f };
  if (type === 0xc1) throw malformed("The msgpack value holds a byte that means nothing.");
  if (type <= 0xc3) return { kind: "value", at: next, size: 0 };
  if (type >= 0xca && type <= 0xd3) return { kind: "value", at: next, size: scalarBytes[type - 0xca]! };
  if (type >= 0xd4 && type <= 0xd8) return { kind: "binary", at: next, size: 1 + 2 ** (type - 0xd4) };
  const [kind, width, extra] = sizes[type]!;
  if (next + width > view.byteLength) throw malformed("The msgpack value is cut off.");
  const size = width === 1 ? view.getUint8(next) : width === 2 ? view.getUint16(next) : view.getUint32(next);
  return { kind, at: next + width, size: size + extra };
}

/** The number, truth value or nil whose type byte is `type` and whose content is at `at`. */
export function readScalar(view: DataView, type: number, at: number): unknown {
  if (type <= 0x7f) return type;
  if (type >= 0xe0) return type - 0x100;
  const readers: Readonly<Record<number, () => unknown>> = {
    192: () => null,
    194: () => false,
    195: () => true,
    202: () => view.getFloat32(at),
    203: () => view.getFloat64(at),
    204: () => view.getUint8(at),
    205: () => view.getUint16(at),
    206: () => view.getUint32(at),
    207: () => view.getBigUint64(at),
    208: () => view.getInt8(at),
    209: () => view.getInt16(at),
    210: () => view.getInt32(at),
    211: () => view.getBigInt64(at),
  };
  return readers[type]?.() ?? null;
}

/** The refusal of a body whose structure is broken. */
export const malformed = (detail: string): WeirError => new WeirError("body_malformed", detail);
