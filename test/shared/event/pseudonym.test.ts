// Pseudonyms: deterministic, keyed, told apart by their key, and made of the very HMAC others make.
import { createHmac as reference } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHmac } from "../../../shared/event/hmac.ts";
import { policyShape } from "../../../shared/event/policy.ts";
import { createPseudonym, isPseudonym, pseudonymsOf } from "../../../shared/event/pseudonym.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const keys = [
  { id: "2", secret: "the newest secret of a project" },
  { id: "1", secret: "an older secret of the project" },
];

describe("an HMAC", () => {
  it("is that of RFC 4231, test cases 1 and 6", () => {
    const first = createHmac(new Uint8Array(20).fill(0x0b))(Buffer.from("Hi There"));
    expect(hex(first)).toBe("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    const long = createHmac(new Uint8Array(131).fill(0xaa));
    const text = Buffer.from("Test Using Larger Than Block-Size Key - Hash Key First");
    expect(hex(long(text))).toBe("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  });

  it("is the runtime's own, for any key and any message", () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const property = fc.property(bytes, bytes, (key, message) => {
      expect(hex(createHmac(key)(message))).toBe(reference("sha256", key).update(message).digest("hex"));
    });
    fc.assert(property, { numRuns: 1_000 });
  });
});

describe("a pseudonym", () => {
  it("names its key, and is the same whenever it is made", () => {
    const make = createPseudonym(keys[0]!);
    const code = reference("sha256", keys[0]!.secret).update("ada").digest().subarray(0, 16);
    expect(make("ada")).toBe(`p.2.${code.toString("base64url")}`);
    expect(createPseudonym(keys[0]!)("ada")).toBe(make("ada"));
    expect(make("Ada")).not.toBe(make("ada"));
  });

  it("is known under every key that a project has", () => {
    const policy = policyShape.parse({ pseudonym_keys: keys });
    expect(pseudonymsOf(policy, "ada")).toEqual(keys.map((key) => createPseudonym(key)("ada")));
    expect(pseudonymsOf(policyShape.parse({}), "ada")).toEqual([]);
  });

  it("is told from another text by its form and its key", () => {
    const made = createPseudonym(keys[1]!)("ada");
    expect(
      [made, `${made}x`, "p.9.telxkzX19iRRF14KQNL6Qg", "ada"].map((text) => isPseudonym(text, keys)),
    ).toEqual([true, false, false, false]);
  });
});
