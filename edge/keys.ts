// Where an edge's write keys come from: a fixed list, or the aggregator, asked again and again.
import type { Policy } from "../shared/event/policy.ts";
import type { KeySource, WriteKey } from "../shared/event/write-key.ts";
import { keysPollMs } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { type KeyList, type KeysSourceDeps, keysSource, reasonOf } from "./keys-source.ts";

/** Keys that never change; for tests and for a process that gets its keys in another way. */
export function fixedKeys(
  keys: readonly WriteKey[],
  policies: Readonly<Record<string, Policy>> = {},
): KeySource {
  const byHash = new Map(keys.map((key) => [key.hash, key]));
  return {
    find: (keyHash) => byHash.get(keyHash),
    policyOf: (project) => (Object.hasOwn(policies, project) ? policies[project] : undefined),
    renew: async () => true,
    ready: async () => undefined,
    close: async () => undefined,
  };
}

// A key made a moment ago works at once, and whoever tries wrong keys costs the source one look a second.
const renewsEveryMs = 1_000;
// After a failure the next try comes sooner, so that an edge that started first is soon ready.
const failedWaitMs = 1_000;

/** Asks at once and then every 30 s. The last good list stands for as long as its source is down. */
export function polledKeys(deps: KeysSourceDeps): KeySource {
  const { clock, logger } = deps;
  const ask = keysSource(deps);
  const stop = new AbortController();
  let list: KeyList | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let renewing: Promise<boolean> | undefined;
  const polling = poll();
  return {
    find: (keyHash) => list?.byHash.get(keyHash),
    policyOf: (project) => list?.policies.get(project),
    newestCanaryAt: () => list?.newestCanaryAt ?? null,
    renew() {
      renewing ??= renewSoon().finally(() => {
        renewing = undefined;
      });
      return renewing;
    },
    async ready() {
      if (list === undefined) throw new WeirError("not_ready", "The write keys are not known yet.");
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
        keep(await ask(stop.signal));
      } catch (error) {
        waitMs = failedWaitMs;
        complain(error);
      }
      await clock.sleep(waitMs, stop.signal);
    }
  }

  // Whoever comes too early waits for the next look: the one before may not have seen their key.
  async function renewSoon(): Promise<boolean> {
    const waitMs = renewedAt + renewsEveryMs - clock.now();
    if (waitMs > 0) await clock.sleep(waitMs, stop.signal);
    renewedAt = clock.now();
    try {
      keep(await ask(stop.signal));
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  function keep(found: KeyList): void {
    list = found;
  }

  function complain(error: unknown): void {
    if (!stop.signal.aborted) logger.error("keys_unavailable", { error: reasonOf(error) });
  }
}
