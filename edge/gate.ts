// Gate: who may come in, and how much of it.
import type { Clock } from "../shared/clock.ts";
import { equalConstantTime, fromHex, toHex } from "../shared/event/bytes.ts";
import type { Hash } from "../shared/event/hash.ts";
import type { Policy } from "../shared/event/policy.ts";
import {
  aliasText,
  isAliasText,
  isKeyText,
  type KeySource,
  type WriteKey,
} from "../shared/event/write-key.ts";
import { keysMax, requestEventsMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";

export interface GateDeps {
  keys: KeySource;
  clock: Clock;
  hash: Hash;
  /** Per key and instance; a key may use up one second's worth, or one whole request, at once. */
  rateEventsPerSecond: number;
}

export interface Gate {
  /**
   * The key a text stands for, or, where there is none, the project of a public name: an app id, a website
   * id or a domain. Rejects with `unknown_write_key`.
   */
  identify(writeKey: string | undefined, alias?: string | undefined): Promise<WriteKey>;
  /** Throws `forbidden` for a page of an origin that the key's project does not name; no origin is no page. */
  checkOrigin(key: WriteKey, origin: string | null): void;
  /** Takes `events` from the key's allowance. Throws `rate_limited` with the wait until it is enough. */
  admit(key: WriteKey, events: number): void;
}

interface Bucket {
  tokens: number;
  filledAt: number;
}

export function createGate(deps: GateDeps): Gate {
  const { clock, rateEventsPerSecond: rate } = deps;
  const capacity = Math.max(rate, requestEventsMax);
  const buckets = new Map<string, Bucket>();

  return {
    async identify(writeKey, alias) {
      const text = textOf(writeKey, alias);
      const made = await deps.hash([text]);
      const hash = toHex(made);
      const isAsked = deps.keys.find(hash) !== undefined || (await deps.keys.renew());
      const found = deps.keys.find(hash);
      // Clients take an unknown key for final, so it is only said where the source could be asked.
      if (found === undefined && !isAsked) {
        throw new WeirError("not_ready", "Whether the write key is known cannot be asked now.");
      }
      // A source may look keys up in a way that takes longer the nearer they are; this does not.
      if (found === undefined || !equalConstantTime(fromHex(found.hash), made)) throw unknown();
      if (found.expiresAt !== undefined && clock.now() >= found.expiresAt) throw unknown();
      return found;
    },
    checkOrigin(key, origin) {
      const policy = deps.keys.policyOf(key.project);
      if (origin === null || policy === undefined || isAllowed(origin, policy)) return;
      throw new WeirError("forbidden", "The project takes no events from pages of this origin.");
    },
    admit(key, events) {
      const now = clock.now();
      const bucket = buckets.get(key.hash) ?? { tokens: capacity, filledAt: now };
      const passed = Math.max(0, now - bucket.filledAt);
      bucket.tokens = Math.min(capacity, bucket.tokens + (passed / 1000) * rate);
      bucket.filledAt = now;
      keep(key.hash, bucket);
      const cost = Math.max(1, events);
      // A request of more than a bucket holds needs a full one, and leaves a debt.
      const needed = Math.min(cost, capacity);
      if (bucket.tokens < needed) {
        const retryAfterMs = Math.ceil(((needed - bucket.tokens) / rate) * 1000);
        throw new WeirError("rate_limited", `This key may send ${rate} events a second.`, { retryAfterMs });
      }
      bucket.tokens -= cost;
    },
  };

  // Only known keys get here, so the bound matters where keys come and go; the one unused longest leaves.
  function keep(hash: string, bucket: Bucket): void {
    buckets.delete(hash);
    buckets.set(hash, bucket);
    if (buckets.size > keysMax) buckets.delete(buckets.keys().next().value!);
  }
}

// What a key and an alias are looked up by can never be one text, so a public name opens nothing as a key.
function textOf(writeKey: string | undefined, alias: string | undefined): string {
  if (writeKey !== undefined && writeKey !== "") {
    if (isKeyText(writeKey)) return writeKey;
    throw unknown();
  }
  if (alias === undefined || alias === "") {
    throw new WeirError(
      "unknown_write_key",
      "Send a write key: as Bearer, Basic, or `write_key` in the body.",
    );
  }
  if (isAliasText(alias)) return aliasText(alias);
  throw unknown();
}

const unknown = (): WeirError =>
  new WeirError("unknown_write_key", "The write key is not known here, or was revoked.");

/** Whether pages of an origin may send: `https://*.shop.example` is any host below, and none listed is any. */
export function isAllowed(origin: string, { origins }: Policy): boolean {
  if (origins.length === 0) return true;
  const said = origin.toLowerCase();
  return origins.some((one) => {
    const [scheme, host] = one.toLowerCase().split("://*.");
    if (host === undefined) return said === one.toLowerCase();
    return said.startsWith(`${scheme}://`) && said.endsWith(`.${host}`) && said.length > one.length - 1;
  });
}

/** Whether a request says that nothing may be kept of its sender (Global Privacy Control, Do Not Track). */
export const optsOut = (headers: Headers): boolean =>
  headers.get("sec-gpc")?.trim() === "1" || headers.get("dnt")?.trim() === "1";

/** The write key of an Authorization header: a Bearer token, or the user of Basic. */
export function headerKey(authorization: string | null): string | undefined {
  const [, scheme, value] = /^(bearer|basic) +(\S+)$/i.exec(authorization?.trim() ?? "") ?? [];
  if (scheme === undefined || value === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return value;
  try {
    return atob(value).split(":", 1)[0];
  } catch {
    return undefined;
  }
}
