// Which driver the claims' URL names: the only place that knows them all.
import { type Clock, systemClock } from "../../shared/clock.ts";
import type { LogIdentity } from "../../shared/log/log.ts";
import type { ClaimPrefix, ClaimStore } from "./claims.ts";

export interface ClaimsOptions {
  prefix: ClaimPrefix;
  /** PEM of the authority that signed a rediss: server's certificate. */
  ca?: string | undefined;
  clock?: Clock | undefined;
}

/** The first 8 bytes of a digest over who the log is: another log, or another count, finds no old claim. */
export function claimPrefix(identity: LogIdentity): ClaimPrefix {
  const text = JSON.stringify([identity.id, identity.topic, identity.partitions]);
  return new Uint8Array(new Bun.CryptoHasher("sha256").update(text).digest()).slice(0, 8);
}

/**
 * Opens the claims a URL names: `redis://`, `rediss://`, `https://:token@host` (or `http://`, for a gateway
 * on one's own network), `sqlite:path` or `memory:`. Nothing is connected yet. The URL, which may hold a
 * password, never shows up in an error.
 */
export async function openClaims(url: string, options: ClaimsOptions): Promise<ClaimStore> {
  const clock = options.clock ?? systemClock;
  const { prefix } = options;
  switch (/^[a-z]+(?=:)/.exec(url)?.[0]) {
    case "redis":
    case "rediss":
      return (await import("./redis.ts")).createRedisClaims({ url, prefix, ca: options.ca });
    case "https":
    case "http":
      return (await import("./upstash.ts")).createUpstashClaims({ url, prefix });
    case "sqlite":
      return (await import("./sqlite.ts")).createSqliteClaims({
        path: url.slice("sqlite:".length),
        prefix,
        clock,
      });
    case "memory":
      return (await import("./memory.ts")).createMemoryClaims({ clock });
    default:
      throw new Error(
        "the claims' URL begins with none of redis://, rediss://, https://, sqlite: and memory:",
      );
  }
}
