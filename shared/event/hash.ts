// The hash port: SHA-256 over many texts at once, by whichever way is fastest on a runtime.

/** Bytes of one digest. */
export const digestBytes = 32;

/**
 * SHA-256 (FIPS 180-4) of the UTF-8 form of each text: 32 bytes each, one after another in the order of
 * the texts. A lone surrogate hashes as U+FFFD, as TextEncoder writes it. A driver may answer at once or
 * by promise. One array for all, since an array of its own costs a digest more than its copy.
 */
export type Hash = (texts: readonly string[]) => Uint8Array | Promise<Uint8Array>;

const encoder = new TextEncoder();

/** The way every runtime has; adapters give a faster one where they have proven it equal. */
export const webCryptoHash: Hash = async (texts) => {
  const digests = new Uint8Array(texts.length * digestBytes);
  const hashOne = async (text: string, index: number): Promise<void> => {
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(text));
    digests.set(new Uint8Array(digest), index * digestBytes);
  };
  await Promise.all(texts.map(hashOne));
  return digests;
};
