// Where an edge's write keys come from: a fixed list, or the aggregator, asked again and again.
import { z } from "zod";
import type { Clock } from "../shared/clock.ts";
import type { KeySource, WriteKey } from "../shared/event/write-key.ts";
import { keysMax, keysPollMs } from "../shared/limits.ts";
import type { Logger } from "../shared/logger.ts";
import { WeirError } from "../shared/problem.ts";
import { type Signer, signatureHeader } from "../shared/wire/signature.ts";

/** Keys that never change; for tests and for a process that gets its keys in another way. */
export function fixedKeys(keys: readonly WriteKey[]): KeySource {
  const byHash = new Map(keys.map((key) => [key.hash, key]));
  return {
    find: (keyHash) => byHash.get(keyHash),
    renew: async () => undefined,
    ready: async () => undefined,
    close: async () => undefined,
  };
}

export interface PolledKeysDeps {
  /** The aggregator's base URL. */
  url: string;
  signer: Signer;
  clock: Clock;
  logger: Logger;
  fetch?: typeof fetch;
}

const answerShape = z.object({
  keys: z
    .array(
      z.object({
        hash: z.string().regex(/^[0-9a-f]{64}$/),
        project: z.string().min(1),
        rights: z.array(z.string()),
      }),
    )
    .max(keysMax),
});

// A key made a moment ago works at once, and whoever tries wrong keys costs the source one look a second.
const renewsEveryMs = 1_000;
const askMsMax = 5_000;
// After a failure the next try comes sooner, so that an edge that started first is soon ready.
const failedWaitMs = 1_000;

/** Asks at once and then every 30 s. The last good list stands for as long as its source is down. */
export function polledKeys(deps: PolledKeysDeps): KeySource {
  const { clock, logger } = deps;
  const address = `${deps.url.replace(/\/+$/, "")}/v1/keys`;
  const stop = new AbortController();
  let byHash: ReadonlyMap<string, WriteKey> | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let renewing: Promise<void> | undefined;
  const polling = poll();
  return {
    find: (keyHash) => byHash?.get(keyHash),
    renew() {
      renewing ??= renewSoon().finally(() => {
        renewing = undefined;
      });
      return renewing;
    },
    async ready() {
      if (byHash === undefined) throw new WeirError("not_ready", "The write keys are not known yet.");
    },
    async close() {
      stop.abort();
      await polling;
    },
  };

  async function poll(): Promise<void> {
    while (!stop.signal.aborted) {
      let waitMs = keysPollMs;
      try {
        keep(await ask());
      } catch (error) {
        waitMs = failedWaitMs;
        complain(error);
      }
      await clock.sleep(waitMs, stop.signal);
    }
  }

  // Whoever comes too early waits for the next look: the one before may not have seen their key.
  async function renewSoon(): Promise<void> {
    const waitMs = renewedAt + renewsEveryMs - clock.now();
    if (waitMs > 0) await clock.sleep(waitMs, stop.signal);
    renewedAt = clock.now();
    await ask().then(keep, complain);
  }

  function keep(found: ReadonlyMap<string, WriteKey>): void {
    byHash = found;
  }

  function complain(error: unknown): void {
    if (!stop.signal.aborted) logger.error("keys_unavailable", { error: reasonOf(error) });
  }

  async function ask(): Promise<ReadonlyMap<string, WriteKey>> {
    const signature = await deps.signer.sign(new Uint8Array(), clock.now());
    const response = await (deps.fetch ?? fetch)(address, {
      headers: { [signatureHeader]: signature },
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(askMsMax)]),
    });
    if (!response.ok) throw new Error(`the aggregator answered ${response.status}`);
    const { keys } = answerShape.parse(await response.json());
    // A right this edge does not know yet is a newer one's, and passed over.
    return new Map(
      keys.map(({ hash, project, rights }) => [
        hash,
        { hash, project, rights: rights.filter((right) => right === "historical") },
      ]),
    );
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof z.ZodError
    ? "the answer is no list of keys"
    : error instanceof Error
      ? error.message
      : "unknown";
