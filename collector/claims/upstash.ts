// Claims in a Redis behind Upstash's REST protocol: https://, for where only HTTP goes out.
import { Redis } from "@upstash/redis";
import { toHex } from "../../shared/event/bytes.ts";
import { claimDeadlineMs } from "../../shared/limits.ts";
import type { ClaimPrefix, ClaimRequest, ClaimStore } from "./claims.ts";
import { evictionOf } from "./eviction.ts";
import {
  type ClaimScript,
  type ClaimTimes,
  claimScripts,
  readFound,
  readSum,
  scriptNumbers,
} from "./scripts.ts";

export interface UpstashClaimsOptions extends ClaimTimes {
  /** The database's address, with its REST token as the password: https://:token@name.upstash.io. */
  url: string;
  prefix: ClaimPrefix;
  deadlineMs?: number | undefined;
}

/**
 * One billed command a call. The protocol is JSON, so bytes travel and lie there as hex: keys of this
 * driver and of the redis: driver do not meet.
 */
export function createUpstashClaims(options: UpstashClaimsOptions): ClaimStore {
  const address = new URL(options.url);
  const token = decodeURIComponent(address.password);
  if (token === "") throw new Error("the claims' https: URL has no token: write it as https://:token@host");
  address.username = "";
  address.password = "";
  const deadlineMs = options.deadlineMs ?? claimDeadlineMs;
  const numbers = scriptNumbers(options, 2);
  const prefix = `weir:${toHex(options.prefix)}:`;
  const redis = new Redis({
    url: address.toString().replace(/\/$/, ""),
    token,
    // A repetition would claim again and find its own lease; the breaker decides what a failure means.
    retry: false,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    responseEncoding: false,
    signal: () => AbortSignal.timeout(deadlineMs),
  });

  function run(script: ClaimScript, request: ClaimRequest): Promise<unknown> {
    const { hashes, fingerprints, batchId, attempt } = request;
    return evaluate(script, prefix, [...[hashes, fingerprints, batchId, attempt].map(hexOf), ...numbers]);
  }

  async function evaluate(script: ClaimScript, key: string, parameters: string[]): Promise<unknown> {
    try {
      return await redis.evalsha(script.sha, [key], parameters);
    } catch (error) {
      if (!/NOSCRIPT/.test(String(error))) throw withoutBody(error);
    }
    return await redis.eval(script.lua, [key], parameters).catch((error: unknown) => {
      throw withoutBody(error);
    });
  }

  return {
    claim: async (request) => readFound(await run(claimScripts.claim, request), request),
    settle: async (request) => void (await run(claimScripts.settle, request)),
    release: async (request) => void (await run(claimScripts.release, request)),
    async count(name, events, untilMs) {
      const parameters = [String(events), String(untilMs)];
      return readSum(await evaluate(claimScripts.count, `${prefix}count:${name}`, parameters));
    },
    health: () =>
      evictionOf((...command) =>
        redis.exec<unknown>(command).catch((error: unknown) => {
          if (!isRefusal(error)) throw withoutBody(error);
        }),
      ),
    async close() {},
  };
}

// The server knows us and will not do this command; an unknown token is refused everything.
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === "UpstashError" && !/unauthori[sz]ed/i.test(error.message);
}

// The client appends the command it sent, 500 keys and all, to what the server said.
function withoutBody(error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  return new Error(text.split(/,? command was:/)[0]!.slice(0, 200));
}

// Buffer's own hex is native, which 12,000 bytes a call are worth.
function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
