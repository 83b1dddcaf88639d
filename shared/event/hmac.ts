// HMAC-SHA-256 (RFC 2104, FIPS 180-4) in plain code: for where a keyed digest is needed at once, on every runtime.

const blockBytes = 64;
const stateWords = 8;

/** The first 32 bits of the fractional parts of the roots of the first primes: square for the state, cube for the rounds. */
const [initial, rounds] = fractions();

/** Bytes to their 32-byte code under one key. */
export type Hmac = (message: Uint8Array) => Uint8Array;

/** Makes the code of a key of any length; what depends on the key alone is worked out once. */
export function createHmac(key: Uint8Array): Hmac {
  const padded = new Uint8Array(blockBytes);
  padded.set(key.length > blockBytes ? digest(initial, key, 0) : key);
  const inner = compressed(
    padded.map((byte) => byte ^ 0x36),
    initial,
  );
  const outer = compressed(
    padded.map((byte) => byte ^ 0x5c),
    initial,
  );
  return (message) => digest(outer, digest(inner, message, blockBytes), blockBytes);
}

/** SHA-256 of `bytes`, gone on with from `state` after `before` bytes, a multiple of the block. */
function digest(state: Uint32Array, bytes: Uint8Array, before: number): Uint8Array {
  const size = Math.ceil((bytes.length + 9) / blockBytes) * blockBytes;
  const message = new Uint8Array(size);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  const bits = (before + bytes.length) * 8;
  view.setUint32(size - 8, Math.floor(bits / 0x1_0000_0000));
  view.setUint32(size - 4, bits >>> 0);
  let current = state;
  for (let at = 0; at < size; at += blockBytes) {
    current = compressed(message.subarray(at, at + blockBytes), current);
  }
  const result = new Uint8Array(stateWords * 4);
  const words = new DataView(result.buffer);
  for (let word = 0; word < stateWords; word += 1) words.setUint32(word * 4, current[word]!);
  return result;
}

const schedule = new Uint32Array(64);

function compressed(block: Uint8Array, state: Uint32Array): Uint32Array {
  const w = schedule;
  for (let t = 0; t < 16; t += 1) {
    const at = t * 4;
    w[t] = (block[at]! << 24) | (block[at + 1]! << 16) | (block[at + 2]! << 8) | block[at + 3]!;
  }
  for (let t = 16; t < 64; t += 1) {
    const near = w[t - 2]!;
    const far = w[t - 15]!;
    const s0 = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    const s1 = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    w[t] = w[t - 16]! + s0 + w[t - 7]! + s1;
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
  for (let t = 0; t < 64; t += 1) {
    const sum1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const first = (h + sum1 + ((e & f) ^ (~e & g)) + rounds[t]! + w[t]!) | 0;
    const sum0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  const next = [a, b, c, d, e, f, g, h];
  return Uint32Array.from(state, (word, at) => word + next[at]!);
}

const turned = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

// Exact to the bit: a double holds 53 bits, and these roots have at most 3 before the point.
function fractions(): [Uint32Array, Uint32Array] {
  const primes: number[] = [];
  for (let candidate = 2; primes.length < 64; candidate += 1) {
    if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
  }
  const fraction = (root: number): number => Math.floor((root % 1) * 0x1_0000_0000);
  return [
    Uint32Array.from(primes.slice(0, stateWords), (prime) => fraction(Math.sqrt(prime))),
    Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
  ];
}
