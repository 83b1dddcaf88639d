// The vectors of identity, id, fingerprint, time and partition, on this runtime and with every hash it has.
import { describe, expect, it } from "vitest";
import { hash as bunHash } from "../../edge/adapter/bun.ts";
import { hash as nodeHash } from "../../edge/adapter/node.ts";
import { webCryptoHash } from "../../shared/event/hash.ts";
import { checkVectors, type Vectors } from "./check.ts";
import vectors from "./identity.json" with { type: "json" };

describe.each([
  ["Bun's hash", bunHash],
  ["the hash of node:crypto", nodeHash],
  ["WebCrypto", webCryptoHash],
])("with %s", async (_, hash) => {
  const found = await checkVectors(vectors as unknown as Vectors, hash);

  it.each(found)("$name", ({ made, expected }) => {
    expect(made).toEqual(expected);
  });
});

describe("the hashes", () => {
  it("agree on texts of every length around a block, and on every kind of text", async () => {
    const texts = [
      "",
      "\0",
      "é",
      "😀",
      "\ud800 alone",
      ...Array.from({ length: 200 }, (_, size) => "x".repeat(size)),
    ];
    const expected = await webCryptoHash(texts);
    expect(await bunHash(texts)).toEqual(expected);
    expect(await nodeHash(texts)).toEqual(expected);
  });
});
