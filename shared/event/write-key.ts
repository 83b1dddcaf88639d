// Write keys: what names a project on the way in. Only the SHA-256 of a key is ever stored or compared.

/** What a key's holder may do beyond sending events of the usual bounds: send events of any age. */
export const keyRights = ["historical"] as const;
export type KeyRight = (typeof keyRights)[number];

/** One key as edges know it. */
export interface WriteKey {
  /** SHA-256 of the key's UTF-8 text, 64 hex characters. */
  hash: string;
  project: string;
  rights: readonly KeyRight[];
}

/**
 * Where an edge learns its keys. `find` answers from memory; the list is renewed beside it, and the last
 * good one stands while its source is down. `ready` rejects until a first list has come.
 */
export interface KeySource {
  find(keyHash: string): WriteKey | undefined;
  /** Asks the source anew, at most once a second: who comes earlier waits that long. Never rejects. */
  renew(): Promise<void>;
  ready(): Promise<void>;
  close(): Promise<void>;
}
