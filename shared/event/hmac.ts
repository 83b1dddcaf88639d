// HMAC-SHA-256 (RFC 2104) in plain code: for where a keyed digest is needed at once, on every runtime.
import { digestBytes } from "./hash.ts";
import { blockBytes, initialState, mixBlock } from "./sha256.ts";

/** Bytes to their 32-byte code under one key. */
export type Hmac = (message: Uint8Array) => Uint8Array;

/** Makes the code of a key of any length; what depends on the key alone is worked out once. */
export function createHmac(key: Uint8Array): Hmac {
  const padded = new Uint8Array(blockBytes);
  padded.set(key.length > blockBytes ? digest(initialState, key, 0) : key);
  const begun = (mask: number): Int32Array => {
    const state = Int32Array.from(initialState);
    const block = padded.map((byte) => byte ^ mask);
    mixBlock(state, block, 0);
    return state;
  };
  const [inner, outer] = [begun(0x36), begun(0x5c)];
  return (message) => digest(outer, digest(inner, message, blockBytes), blockBytes);
}

/** SHA-256 of `bytes`, gone on with from a state that `before` bytes have made, a multiple of the block. */
function digest(from: Readonly<Int32Array>, bytes: Uint8Array, before: number): Uint8Array {
  const size = Math.ceil((bytes.length + 9) / blockBytes) * blockBytes;
  const message = new Uint8Array(size);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  const bits = (before + bytes.length) * 8;
  view.setUint32(size - 8, Math.floor(bits / 0x1_0000_0000));
  view.setUint32(size - 4, bits >>> 0);
  const state = Int32Array.from(from);
  for (let at = 0; at < size; at += blockBytes) mixBlock(state, message, at);
  const result = new Uint8Array(digestBytes);
  const words = new DataView(result.buffer);
  for (const [word, value] of state.entries()) words.setInt32(word * 4, value);
  return result;
}
