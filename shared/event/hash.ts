// The hash port: SHA-256 over many texts at once, by whichever way is fastest on a runtime.

/**
 * SHA-256 (FIPS 180-4) of the UTF-8 form of each text, 32 bytes each, in the same order. A lone
 * surrogate hashes as U+FFFD, as TextEncoder writes it. A driver may answer at once or by promise.
 */
export type Hash = (texts: readonly string[]) => Uint8Array[] | Promise<Uint8Array[]>;

const encoder = new TextEncoder();

/** The way every runtime has; adapters give a faster one where they have proven it equal. */
export const webCryptoHash: Hash = (texts) =>
  Promise.all(
    texts.map(async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))),
  );
