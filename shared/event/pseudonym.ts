// Pseudonyms: what stands for a person's id where a project keeps none of its own.
import { createHmac } from "./hmac.ts";
import type { Policy } from "./policy.ts";

export interface PseudonymKey {
  id: string;
  secret: string;
}

/** An id's pseudonym, `p.KEY.CODE`: the key's name, and 128 bits of HMAC-SHA-256 over the id's UTF-8 text. */
export type Pseudonym = (id: string) => string;

const encoder = new TextEncoder();
const codeBytes = 16;

/** The pseudonyms of one key. The same id has the same one wherever the same secret makes it. */
export function createPseudonym(key: PseudonymKey): Pseudonym {
  const hmac = createHmac(encoder.encode(key.secret));
  return (id) => {
    const code = String.fromCharCode(...hmac(encoder.encode(id)).subarray(0, codeBytes));
    const text = btoa(code).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
    return `p.${key.id}.${text}`;
  };
}

/** Every pseudonym an id may be stored under, newest first; none where the project makes none. */
export const pseudonymsOf = (policy: Policy, id: string): string[] =>
  policy.pseudonym_keys.map((key) => createPseudonym(key)(id));

/** Whether a text has the form of a pseudonym of one of these keys; whoever sends it may have made it up. */
export function isPseudonym(text: string, keys: readonly PseudonymKey[]): boolean {
  const [, id] = /^p\.([\w-]{1,32})\.[\w-]{22}$/.exec(text) ?? [];
  return id !== undefined && keys.some((key) => key.id === id);
}
