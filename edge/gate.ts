// Gate: who may come in, and how much of it.
import type { Clock } from "../shared/clock.ts";
import { equalConstantTime, fromHex, toHex } from "../shared/event/bytes.ts";
import type { Hash } from "../shared/event/hash.ts";
import type { KeySource, WriteKey } from "../shared/event/write-key.ts";
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
  /** The key a text stands for. Rejects with `unknown_write_key`. */
  identify(writeKey: string | undefined): Promise<WriteKey>;
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
    async identify(writeKey) {
      if (writeKey === undefined || writeKey === "") {
        throw new WeirError(
          "unknown_write_key",
          "Send a write key: as Bearer, Basic, or `write_key` in the body.",
        );
      }
      const made = await deps.hash([writeKey]);
      const hash = toHex(made);
      if (deps.keys.find(hash) === undefined) await deps.keys.renew();
      const found = deps.keys.find(hash);
      // A source may look keys up in a way that takes longer the nearer they are; this does not.
      if (found !== undefined && equalConstantTime(fromHex(found.hash), made)) return found;
      throw new WeirError("unknown_write_key", "The write key is not known here, or was revoked.");
    },
    admit(key, events) {
      const now = clock.now();
      const bucket = buckets.get(key.hash) ?? { tokens: capacity, filledAt: now };
      const passed = Math.max(0, now - bucket.filledAt);
      bucket.tokens = Math.min(capacity, bucket.tokens + (passed / 1000) * rate);
      bucket.filledAt = now;
      keep(key.hash, bucket);
      const cost = Math.max(1, events);
      if (bucket.tokens < cost) {
        const retryAfterMs = Math.ceil(((cost - bucket.tokens) / rate) * 1000);
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
