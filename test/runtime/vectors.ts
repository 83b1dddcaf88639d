// Holds the vectors against one runtime's own hash: how many there were, and the names of wrong ones.

import { type Hash, webCryptoHash } from "../../shared/event/hash.ts";
import { checkVectors, type Vectors } from "../vectors/check.ts";
import vectors from "../vectors/identity.json" with { type: "json" };

/** The vectors by the runtime's hash and by WebCrypto's. */
export async function judge(hash: Hash): Promise<{ checked: number; wrong: string[] }> {
  const wrong: string[] = [];
  let checked = 0;
  for (const port of [hash, webCryptoHash]) {
    for (const { name, made, expected } of await checkVectors(vectors as unknown as Vectors, port)) {
      checked += 1;
      if (JSON.stringify(made) !== JSON.stringify(expected)) wrong.push(name);
    }
  }
  return { checked, wrong };
}
