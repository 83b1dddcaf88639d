// Write keys where nothing may run between requests: asked for at first use, and renewed by who uses them.
import type { KeySource } from "../shared/event/write-key.ts";
import { keysPollMs } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { type KeyList, type KeysSourceDeps, keysSource, reasonOf } from "./keys-source.ts";

export interface KeysAtUse extends KeySource {
  /**
   * To be called by every request before the keys are used. Resolves at once while the list is young. An
   * old list is renewed by one request alone, by `after`, which must outlive its answer; where there is no
   * list yet, every request waits for one. Never rejects.
   */
  use(after: (work: Promise<unknown>) => void): Promise<void>;
}

const renewsEveryMs = 1_000;

/**
 * No request waits for another one's promise, since a runtime may end the other one with its client: what
 * they share is the list and two times alone.
 */
export function keysAtUse(deps: KeysSourceDeps): KeysAtUse {
  const { clock, logger } = deps;
  const ask = keysSource(deps);
  let list: KeyList | undefined;
  let begunAt = Number.NEGATIVE_INFINITY;
  /** When the newest look began that has come to its end, well or badly. */
  let seenAt = Number.NEGATIVE_INFINITY;
  /** When the newest look began that brought a list. */
  let goodAt = Number.NEGATIVE_INFINITY;
  return {
    find: (keyHash) => list?.byHash.get(keyHash),
    policyOf: (project) => list?.policies.get(project),
    newestCanaryAt: () => list?.newestCanaryAt ?? null,
    async use(after) {
      if (list === undefined) return await look();
      if (clock.now() - begunAt < keysPollMs) return;
      after(look());
    },
    // Whoever comes too early waits: a look that began before they came may not have seen their key.
    async renew() {
      const cameAt = clock.now();
      while (seenAt < cameAt) {
        const waitMs = begunAt + renewsEveryMs - clock.now();
        if (waitMs > 0) await clock.sleep(waitMs);
        else await look();
      }
      return goodAt >= cameAt;
    },
    async ready() {
      if (list === undefined) await look();
      if (list === undefined) throw new WeirError("not_ready", "The write keys are not known yet.");
    },
    async close() {},
  };

  async function look(): Promise<void> {
    const began = clock.now();
    begunAt = began;
    try {
      list = await ask();
      goodAt = Math.max(goodAt, began);
    } catch (error) {
      logger.error("keys_unavailable", { error: reasonOf(error) });
    }
    seenAt = Math.max(seenAt, began);
  }
}
