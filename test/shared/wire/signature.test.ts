// The signature between edge and collector: what is accepted, for how long, and what is not.
import { describe, expect, it } from "vitest";
import { signatureAgeMs } from "../../../shared/limits.ts";
import { WeirError } from "../../../shared/problem.ts";
import { createSigner } from "../../../shared/wire/signature.ts";

const body = new TextEncoder().encode("a batch");
const now = Date.UTC(2026, 10, 20, 12);
const signer = await createSigner(["first secret"]);
const header = await signer.sign(body, now);

/** The code of the refusal, or "accepted". */
const verdict = (given: string | null, of: Uint8Array = body, at = now, by = signer): Promise<string> =>
  by.verify(given, of, at).then(
    () => "accepted",
    (error: unknown) => (error instanceof WeirError ? error.code : String(error)),
  );

describe("a signature", () => {
  it("is HMAC-SHA256 over the time, a dot and the body", async () => {
    const mac = new Bun.CryptoHasher("sha256", "first secret").update(`${now}.`).update(body).digest("hex");
    expect(header).toBe(`t=${now},v1=${mac}`);
    expect(await verdict(header)).toBe("accepted");
  });

  it.each([
    [-signatureAgeMs, "accepted"],
    [signatureAgeMs, "accepted"],
    [-signatureAgeMs - 1, "signature_expired"],
    [signatureAgeMs + 1, "signature_expired"],
  ])("seen by a clock %i ms off is %s", async (offset, expected) => {
    expect(await verdict(header, body, now + offset)).toBe(expected);
  });

  it("does not fit a body with one bit changed", async () => {
    const changed = Uint8Array.from(body);
    changed[3] = changed[3]! ^ 1;
    expect(await verdict(header, changed)).toBe("signature_invalid");
  });

  it("does not fit another time, however the clock stands", async () => {
    expect(await verdict(header.replace(`t=${now}`, `t=${now + 1}`))).toBe("signature_invalid");
  });

  it.each([null, "", "v1=00", header.slice(0, -1), header.toUpperCase(), `${header},v1=00`, ` ${header}`])(
    "is not read from %s",
    async (given) => {
      expect(await verdict(given)).toBe("signature_invalid");
    },
  );

  it("is made by the first secret and accepted by any, so that secrets can be changed", async () => {
    const both = await createSigner(["second secret", "first secret"]);
    expect(await verdict(header, body, now, both)).toBe("accepted");
    expect(await verdict(await both.sign(body, now))).toBe("signature_invalid");
    expect(await verdict(await both.sign(body, now), body, now, await createSigner(["second secret"]))).toBe(
      "accepted",
    );
  });

  it("needs a secret", async () => {
    await expect(createSigner([])).rejects.toThrow("needs a secret");
  });
});
