// One look at the aggregator's write keys, signed like every hop between processes.
import * as z from "zod/mini";
import type { Clock } from "../shared/clock.ts";
import { defaultPolicy, type Policy, policyShape } from "../shared/event/policy.ts";
import { type KeyRight, keyRights, type WriteKey } from "../shared/event/write-key.ts";
import { keysMax } from "../shared/limits.ts";
import type { Logger } from "../shared/logger.ts";
import { type Signer, signatureHeader } from "../shared/wire/signature.ts";

export interface KeysSourceDeps {
  /** The aggregator's base URL. */
  url: string;
  signer: Signer;
  clock: Clock;
  logger: Logger;
  fetch?: typeof fetch | undefined;
}

/** What the source knows: the keys by their hash, and what each project asks. */
export interface KeyList {
  byHash: ReadonlyMap<string, WriteKey>;
  policies: ReadonlyMap<string, Policy>;
  /** When the newest canary that is stored was sent, epoch ms; null where the source knows of none. */
  newestCanaryAt: number | null;
}

/** Asks once. Rejects where the source does not answer in 5 s, or not with a list of keys. */
export type AskKeys = (signal?: AbortSignal) => Promise<KeyList>;

const answerShape = z.object({
  keys: z
    .array(
      z.object({
        hash: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
        project: z.string().check(z.minLength(1)),
        rights: z.array(z.string()),
        expires_at: z.optional(z.number()),
      }),
    )
    .check(z.maxLength(keysMax)),
  policies: z._default(z.record(z.string(), z.record(z.string(), z.unknown())), {}),
  newest_canary_at: z._default(z.nullable(z.number()), null),
});

const askMsMax = 5_000;

export function keysSource(deps: KeysSourceDeps): AskKeys {
  const address = `${deps.url.replace(/\/+$/, "")}/v1/keys`;
  const request = deps.fetch ?? fetch;
  // What has not changed stays the same object, and with it what was made ready of it.
  let known: ReadonlyMap<string, Policy> = new Map();
  return async (signal) => {
    const signature = await deps.signer.sign(new Uint8Array(), deps.clock.now());
    const late = AbortSignal.timeout(askMsMax);
    const response = await request(address, {
      headers: { [signatureHeader]: signature },
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    });
    if (!response.ok) throw new Error(`the aggregator answered ${response.status}`);
    const answer = z.safeParse(answerShape, await response.json());
    if (!answer.success) throw new Error("the answer is no list of keys");
    const { keys, policies, newest_canary_at: newestCanaryAt } = answer.data;
    const byHash = new Map(keys.map((key) => [key.hash, keyOf(key)]));
    const texts = new Map<string, Policy>();
    const read = Object.entries(policies).map(([project, given]): [string, Policy] => {
      const text = JSON.stringify(given);
      const policy = text === "{}" ? defaultPolicy : (known.get(text) ?? z.parse(policyShape, given));
      texts.set(text, policy);
      return [project, policy];
    });
    known = texts;
    return { byHash, policies: new Map(read), newestCanaryAt };
  };
}

// A right this edge does not know yet is a newer one's, and passed over.
function keyOf(key: z.output<typeof answerShape>["keys"][number]): WriteKey {
  const isKnown = (right: string): right is KeyRight => (keyRights as readonly string[]).includes(right);
  const { hash, project, expires_at: expiresAt } = key;
  return { hash, project, rights: key.rights.filter(isKnown), expiresAt };
}

/** Why a look failed, in words that may be logged. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : "unknown");
