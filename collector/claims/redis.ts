// Claims in Redis, over its own protocol: redis:// and, with TLS, rediss://.
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

export interface RedisClaimsOptions extends ClaimTimes {
  /** redis:// or rediss://, with user and password where the server wants them. */
  url: string;
  prefix: ClaimPrefix;
  /** PEM of the authority that signed the server's certificate; the system's own when absent. */
  ca?: string | undefined;
  deadlineMs?: number | undefined;
}

/** Nothing is connected before the first call. A call rejects at the latest after `deadlineMs`. */
export function createRedisClaims(options: RedisClaimsOptions): ClaimStore {
  const deadlineMs = options.deadlineMs ?? claimDeadlineMs;
  const numbers = scriptNumbers(options, 1);
  const prefix = Buffer.concat([Buffer.from("weir:"), options.prefix, Buffer.from(":")]);
  let current: Bun.RedisClient | undefined;

  // A client that lost its connection answers nothing any more, so the next call begins with a new one.
  function connection(): Bun.RedisClient {
    if (current !== undefined) return current;
    const client = new Bun.RedisClient(options.url, {
      autoReconnect: false,
      connectionTimeout: deadlineMs,
      ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
    });
    client.onclose = () => drop(client);
    current = client;
    return client;
  }

  function drop(client: Bun.RedisClient): void {
    if (current === client) current = undefined;
    client.close();
  }

  // A server that hangs keeps its connection open; closing it here frees what waits on it, and a peer that
  // vanished without a word is not waited for until the system gives up on it.
  async function send(command: string, parameters: readonly (string | Uint8Array)[]): Promise<unknown> {
    const client = connection();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`the claims did not answer within ${deadlineMs} ms`));
        drop(client);
      }, deadlineMs);
    });
    try {
      // Bytes go out as they are; only the type says text.
      return await Promise.race([client.send(command, parameters as string[]), late]);
    } catch (error) {
      if (!isRefusal(error)) drop(client);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  function run(script: ClaimScript, request: ClaimRequest): Promise<unknown> {
    const { hashes, fingerprints, batchId, attempt } = request;
    return evaluate(script, ["1", prefix, hashes, fingerprints, batchId, attempt, ...numbers]);
  }

  async function evaluate(
    script: ClaimScript,
    parameters: readonly (string | Uint8Array)[],
  ): Promise<unknown> {
    try {
      return await send("EVALSHA", [script.sha, ...parameters]);
    } catch (error) {
      if (!/^NOSCRIPT/.test(textOf(error))) throw error;
      return await send("EVAL", [script.lua, ...parameters]);
    }
  }

  return {
    claim: async (request) => readFound(await run(claimScripts.claim, request), request),
    settle: async (request) => void (await run(claimScripts.settle, request)),
    release: async (request) => void (await run(claimScripts.release, request)),
    async count(name, events, untilMs) {
      const counter = Buffer.concat([prefix, Buffer.from(`count:${name}`)]);
      return readSum(await evaluate(claimScripts.count, ["1", counter, String(events), String(untilMs)]));
    },
    health: () =>
      evictionOf((command, ...parameters) =>
        send(command, parameters).catch((error: unknown) => {
          if (!isRefusal(error)) throw error;
        }),
      ),
    async close() {
      if (current !== undefined) drop(current);
    },
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The server answered, with an error; after any other failure the connection is of no use. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_REDIS_SERVER_ERROR";
}
