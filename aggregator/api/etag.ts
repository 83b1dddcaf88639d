// Validators of answers (RFC 9110, 8.8): whoever asks again for figures that stand still is told just that.
import { createHash } from "node:crypto";

/** What is answered, whatever its rows are. */
export interface Tagged {
  data: unknown;
  meta: { as_of: string };
}

/**
 * A weak tag over all that is answered but `as_of`, which moves with every question: two answers with one tag have
 * the same rows, span, watermark and next page, and differ in nothing but how lately that was true.
 */
export function tagOf({ data, meta: { as_of: _, ...meta } }: Tagged): string {
  // The first half of SHA-256: nobody gains by two answers that share it, and by chance none do.
  const hash = createHash("sha256").update(JSON.stringify([data, meta]));
  return `W/"${hash.digest("base64url").slice(0, 22)}"`;
}

/** Whether If-None-Match names the tag; compared weakly, as that header is. */
export function isKnown(tag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  const opaque = (text: string): string => text.trim().replace(/^W\//, "");
  return ifNoneMatch.split(",").some((one) => opaque(one) === opaque(tag));
}
