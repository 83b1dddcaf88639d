// A breaker around the claims: while they fail, batches go on unchecked at once instead of waiting.
import type { Clock } from "../../shared/clock.ts";
import type { ClaimStore } from "./claims.ts";

/** Failures in a row after which the claims are left alone; one may be chance, three are an outage. */
const failuresMax = 3;
/** How long they are left alone; then one call tries, and costs its batch a deadline at worst. */
const openMs = 1_000;

export interface BreakerOptions {
  clock: Clock;
  /** Told when the breaker opens, with the failure that did it, and when it closes again. */
  changed?: (state: BreakerState, cause?: unknown) => void;
  failuresMax?: number;
  openMs?: number;
}

export type BreakerState = "closed" | "open";

/** A claim store that rejects at once while the one beneath it fails. */
export interface Breaker extends ClaimStore {
  state(): BreakerState;
}

/** Wraps `store`. Open, it lets one call through every `openMs`; the first success closes it. */
export function withBreaker(store: ClaimStore, options: BreakerOptions): Breaker {
  const { clock, changed = () => {} } = options;
  const most = options.failuresMax ?? failuresMax;
  const waitMs = options.openMs ?? openMs;
  let state: BreakerState = "closed";
  let failures = 0;
  let tryAt = 0;
  let isTrying = false;

  async function guard<T>(call: () => Promise<T>): Promise<T> {
    const isTrial = state === "open";
    if (isTrial && (isTrying || clock.now() < tryAt))
      throw new Error("the claims are left alone for a while");
    isTrying = isTrial;
    try {
      const answer = await call();
      succeeded(isTrial);
      return answer;
    } catch (error) {
      failed(isTrial, error);
      throw error;
    }
  }

  function succeeded(isTrial: boolean): void {
    // A call from before the opening says nothing about now.
    if (state === "open" && !isTrial) return;
    failures = 0;
    if (!isTrial) return;
    isTrying = false;
    state = "closed";
    changed(state);
  }

  function failed(isTrial: boolean, cause: unknown): void {
    if (state === "open" && !isTrial) return;
    failures += 1;
    if (isTrial) isTrying = false;
    else if (failures < most) return;
    tryAt = clock.now() + waitMs;
    if (state === "open") return;
    state = "open";
    changed(state, cause);
  }

  return {
    state: () => state,
    claim: (request) => guard(() => store.claim(request)),
    settle: (request) => guard(() => store.settle(request)),
    release: (request) => guard(() => store.release(request)),
    count: (name, events, untilMs) => guard(() => store.count(name, events, untilMs)),
    health: () => store.health(),
    close: () => store.close(),
  };
}
