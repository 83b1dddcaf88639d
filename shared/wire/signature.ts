// The signature on the hop from edge to collector: HMAC-SHA256 over time and body, made anew per attempt.
import { equalConstantTime, fromHex, toHex } from "../event/bytes.ts";
import { signatureAgeMs } from "../limits.ts";
import { WeirError } from "../problem.ts";

/** The header that carries it: `t=<epoch ms>,v1=<hex>`. */
export const signatureHeader = "weir-signature";

/** Signs and checks with one or more shared secrets; the first signs, any of them is accepted. */
export interface Signer {
  sign(body: Uint8Array, nowMs: number): Promise<string>;
  /** Rejects with `signature_invalid` or, past ±5 minutes, `signature_expired`. */
  verify(header: string | null, body: Uint8Array, nowMs: number): Promise<void>;
}

/** HMAC-SHA256 of a short text and the body behind it, under one secret. */
export type Mac = (head: string, body: Uint8Array) => Uint8Array | Promise<Uint8Array>;
export type MacOf = (secret: string) => Mac | Promise<Mac>;

const encoder = new TextEncoder();
const algorithm = { name: "HMAC", hash: "SHA-256" };

/** Of every runtime; some have a faster one. */
export const webCryptoMac: MacOf = async (secret) => {
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  return async (head, body) => {
    const signed = new Uint8Array(head.length + body.length);
    encoder.encodeInto(head, signed);
    signed.set(body, head.length);
    return new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
  };
};

/** Makes a signer. More than one secret is for rotation: add the new one first, then drop the old. */
export async function createSigner(secrets: readonly string[], macOf: MacOf = webCryptoMac): Promise<Signer> {
  if (secrets.length === 0) throw new Error("a signer needs a secret");
  const macs = await Promise.all(secrets.map(macOf));
  return {
    async sign(body, nowMs) {
      return `t=${nowMs},v1=${toHex(await macs[0]!(`${nowMs}.`, body))}`;
    },
    async verify(header, body, nowMs) {
      const found = /^t=(\d{1,16}),v1=([0-9a-f]{64})$/.exec(header ?? "");
      if (found === null)
        throw new WeirError("signature_invalid", "The batch carries no readable signature.");
      const given = fromHex(found[2]!);
      const made = await Promise.all(macs.map((mac) => mac(`${found[1]}.`, body)));
      if (!made.some((bytes) => equalConstantTime(bytes, given))) {
        throw new WeirError("signature_invalid", "The batch's signature does not match its body.");
      }
      if (Math.abs(nowMs - Number(found[1])) > signatureAgeMs) {
        throw new WeirError("signature_expired", "The signature is more than five minutes from this clock.");
      }
    },
  };
}
