// Whether a Redis would forget claims by itself under memory pressure, asked of the server.
import type { ClaimHealth } from "./claims.ts";

/** Sends one command. Where the server refuses it (no right, not known) `undefined`; else it rejects. */
export type AskServer = (command: string, ...parameters: string[]) => Promise<unknown>;

/** Hosted servers often hide CONFIG; INFO says the same. Any policy but noeviction forgets silently. */
export async function evictionOf(ask: AskServer): Promise<ClaimHealth> {
  const policy =
    policyIn(await ask("CONFIG", "GET", "maxmemory-policy")) ?? lineIn(await ask("INFO", "memory"));
  if (policy === undefined) return { evicts: undefined, detail: "maxmemory-policy is hidden" };
  return { evicts: policy !== "noeviction", detail: `maxmemory-policy ${policy}` };
}

// A map in RESP3, a flat list in RESP2 and over REST.
function policyIn(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const found: unknown = Array.isArray(answer)
    ? answer[1]
    : (answer as Record<string, unknown>)["maxmemory-policy"];
  return typeof found === "string" ? found : undefined;
}

function lineIn(answer: unknown): string | undefined {
  return typeof answer === "string" ? /^maxmemory_policy:(\S+)/m.exec(answer)?.[1] : undefined;
}
