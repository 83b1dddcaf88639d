// SHA-256 (FIPS 180-4) in plain arithmetic: for the short texts of identities it costs a fifth of what
// WebCrypto's promises do on V8, and it answers at once.
import { digestBytes, type Hash } from "./hash.ts";

// The first 32 bits of the fractional parts: of the roots of the first 64 primes (cube), and of 8 (square).
const primes = [...Array(312).keys()]
  .slice(2)
  .filter((n) => [2, 3, 5, 7, 11, 13, 17].every((p) => n === p || n % p));
const fraction = (root: number): number => ((root - Math.floor(root)) * 2 ** 32) | 0;
const constants = Int32Array.from(primes.slice(0, 64), (prime) => fraction(Math.cbrt(prime)));
export const initialState: Readonly<Int32Array> = Int32Array.from(primes.slice(0, 8), (prime) =>
  fraction(Math.sqrt(prime)),
);

export const blockBytes = 64;
const encoder = new TextEncoder();
const words = new Int32Array(64);
const state = new Int32Array(8);
let room = new Uint8Array(1024);

/** The hash port without any runtime's help. */
export const plainHash: Hash = (texts) => {
  const digests = new Uint8Array(texts.length * digestBytes);
  const view = new DataView(digests.buffer);
  for (let index = 0; index < texts.length; index += 1) {
    const end = pad(texts[index]!);
    state.set(initialState);
    for (let at = 0; at < end; at += blockBytes) mixBlock(state, room, at);
    for (let word = 0; word < 8; word += 1) view.setInt32(index * digestBytes + word * 4, state[word]!);
  }
  return digests;
};

// Writes the text, one bit, zeros, and the length in bits; answers where the last block ends.
function pad(text: string): number {
  const needed = text.length * 3 + 2 * blockBytes;
  if (room.length < needed) room = new Uint8Array(needed * 2);
  const { written } = encoder.encodeInto(text, room);
  const end = Math.ceil((written + 9) / blockBytes) * blockBytes;
  room.fill(0, written, end);
  room[written] = 0x80;
  const bits = written * 8;
  for (let byte = 0; byte < 5; byte += 1) room[end - 1 - byte] = Math.floor(bits / 2 ** (8 * byte));
  return end;
}

/** Mixes the 64 bytes of `bytes` from `from` on into a state of eight words. */
export function mixBlock(state: Int32Array, bytes: Uint8Array, from: number): void {
  for (let word = 0; word < 16; word += 1) {
    const at = from + word * 4;
    words[word] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }
  for (let word = 16; word < 64; word += 1) {
    const a = words[word - 15]!;
    const b = words[word - 2]!;
    const small = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const large = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    words[word] = (words[word - 16]! + small + words[word - 7]! + large) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let round = 0; round < 64; round += 1) {
    const large = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + large + ((e & f) ^ (~e & g)) + constants[round]! + words[round]!) | 0;
    const small = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (small + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}
