// The text of an API token: a prefix to be found by, 256 random bits, and a checksum that tells a slip from a guess.
import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const prefix = "weir_";
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 62^43 is just above 2^256, and 62^6 above 2^32. */
const secretDigits = 43;
const sumDigits = 6;
const form = new RegExp(`^${prefix}[0-9A-Za-z]{${secretDigits + sumDigits}}$`);

/** A new token, such as weir_ and 49 letters and digits: one word, so that scanners and double clicks find all of it. */
export function newTokenText(): string {
  const secret = inDigits(BigInt(`0x${randomBytes(32).toString("hex")}`), secretDigits);
  return prefix + secret + sumOf(prefix + secret);
}

/** Whether a text can be one of ours: its form is right, and so is the CRC-32 at its end. */
export function isTokenText(text: string): boolean {
  return form.test(text) && text.endsWith(sumOf(text.slice(0, -sumDigits)));
}

/** How a token is kept and looked up: nobody can go from this back to the text. */
export const tokenHash = (text: string): string => createHash("sha256").update(text).digest("hex");

const sumOf = (text: string): string => inDigits(BigInt(crc32(text)), sumDigits);

function inDigits(number: bigint, width: number): string {
  let text = "";
  for (let rest = number; rest > 0n; rest /= 62n) text = digits[Number(rest % 62n)]! + text;
  return text.padStart(width, "0");
}
