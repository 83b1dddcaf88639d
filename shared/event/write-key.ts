// Write keys: what names a project on the way in. Only the SHA-256 of a key is ever stored or compared.
import type { Policy } from "./policy.ts";

/**
 * What a key's holder may do beyond sending events: `historical` sends them of any age, `client_context`
 * says where their clients are, as a server does that sends for others, `consent_taken` sends only what was
 * consented to, without each event saying so.
 */
export const keyRights = ["historical", "client_context", "consent_taken"] as const;
export type KeyRight = (typeof keyRights)[number];

/** One key, or one alias, as edges know it. */
export interface WriteKey {
  /** SHA-256 of the key's UTF-8 text or of an alias's `aliasText`, 64 hex characters. */
  hash: string;
  project: string;
  rights: readonly KeyRight[];
  /** Epoch ms from which on it is no key any more. */
  expiresAt?: number | undefined;
}

/** The texts a key can be: printable, and without a space. */
export const isKeyText = (text: string): boolean => /^[\x21-\x7e]{1,256}$/.test(text);

/** The names that can stand for a key. */
export const isAliasText = (name: string): boolean => /^[^\p{Cc}]{1,256}$/u.test(name.trim());

/**
 * What an alias is hashed as: an app id, a website id or a domain is public, so it is no key, and has a
 * space in it that no key has. Upper and lower case are one, as in a domain.
 */
export const aliasText = (name: string): string => `alias ${name.trim().toLowerCase()}`;

/**
 * Where an edge learns its keys. `find` answers from memory; the list is renewed beside it, and the last
 * good one stands while its source is down. `ready` rejects until a first list has come.
 */
export interface KeySource {
  find(keyHash: string): WriteKey | undefined;
  /** What a project asks of edges; undefined where nobody has told. */
  policyOf(project: string): Policy | undefined;
  /**
   * Asks the source anew, at most once a second: who comes earlier waits that long. False where the source
   * did not answer. Never rejects.
   */
  renew(): Promise<boolean>;
  ready(): Promise<void>;
  /** When the newest canary was sent that was stored by the last look, epoch ms; null where nobody knows. */
  newestCanaryAt?: () => number | null;
  close(): Promise<void>;
}
