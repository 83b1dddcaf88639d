// The breaker: how long failing claims are waited for, and how they are found to be back.
import { describe, expect, it } from "vitest";
import { withBreaker } from "../../../collector/claims/breaker.ts";
import type { ClaimStore } from "../../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../../collector/claims/memory.ts";
import { claimRequest } from "../../contract/claims.ts";
import { manualClock } from "../../support/clock.ts";

function broken(openMs = 1_000) {
  const clock = manualClock();
  const told: string[] = [];
  let calls = 0;
  let answer: () => Promise<void> = async () => {};
  const fail = async (): Promise<void> => {
    throw new Error("unreachable");
  };
  const memory = createMemoryClaims({ clock });
  const asked = async <T>(call: () => Promise<T>): Promise<T> => {
    calls += 1;
    await answer();
    return call();
  };
  const store: ClaimStore = {
    ...memory,
    claim: (request) => asked(() => memory.claim(request)),
    settle: (request) => asked(() => memory.settle(request)),
    release: (request) => asked(() => memory.release(request)),
  };
  const breaker = withBreaker(store, { clock, openMs, changed: (state) => told.push(state) });
  return {
    breaker,
    clock,
    told,
    calls: () => calls,
    goDown: () => {
      answer = fail;
    },
    comeBack: () => {
      answer = async () => {};
    },
    hang: () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      answer = () => promise;
      return { succeed: resolve, fail: () => reject(new Error("too late")) };
    },
  };
}

const request = claimRequest(1);
const failing = (call: Promise<unknown>) => expect(call).rejects.toThrow();

describe("a breaker", () => {
  it("lets single failures pass", async () => {
    const { breaker, goDown, comeBack, told } = broken();
    for (let round = 0; round < 5; round += 1) {
      goDown();
      await failing(breaker.claim(request));
      await failing(breaker.settle(request));
      comeBack();
      await breaker.claim(request);
    }
    expect([breaker.state(), told]).toEqual(["closed", []]);
  });

  it("opens at the third failure in a row and then rejects without asking", async () => {
    const { breaker, goDown, comeBack, calls, told } = broken();
    goDown();
    await failing(breaker.claim(request));
    await failing(breaker.settle(request));
    expect(breaker.state()).toBe("closed");
    await failing(breaker.release(request));
    expect([breaker.state(), told]).toEqual(["open", ["open"]]);
    comeBack();
    await failing(breaker.claim(request));
    await failing(breaker.settle(request));
    await failing(breaker.release(request));
    expect(calls()).toBe(3);
  });

  it("lets one call try after a while, and closes when it succeeds", async () => {
    const { breaker, goDown, comeBack, clock, calls, told } = broken();
    goDown();
    for (let round = 0; round < 3; round += 1) await failing(breaker.claim(request));
    await clock.advance(999);
    await failing(breaker.claim(request));
    expect(calls()).toBe(3);
    await clock.advance(1);
    await failing(breaker.claim(request));
    expect(calls()).toBe(4);
    // The trial failed, so the next one waits again.
    await failing(breaker.claim(request));
    expect(calls()).toBe(4);
    comeBack();
    await clock.advance(1_000);
    expect([...(await breaker.claim(request))]).toEqual([0]);
    expect([breaker.state(), told]).toEqual(["closed", ["open", "closed"]]);
    await breaker.claim(request);
    expect(calls()).toBe(6);
  });

  it("lets no second call try beside the first", async () => {
    const { breaker, goDown, hang, clock, calls } = broken();
    goDown();
    for (let round = 0; round < 3; round += 1) await failing(breaker.claim(request));
    await clock.advance(1_000);
    const { succeed } = hang();
    const trial = breaker.claim(request);
    await failing(breaker.claim(request));
    expect(calls()).toBe(4);
    succeed();
    await trial;
    expect(breaker.state()).toBe("closed");
  });

  it("takes no word from calls that began before it opened", async () => {
    const { breaker, goDown, hang, clock } = broken();
    const early = hang();
    const [first, second] = [breaker.claim(request), breaker.claim(request)];
    goDown();
    for (let round = 0; round < 3; round += 1) await failing(breaker.claim(request));
    early.succeed();
    await Promise.all([first, second]);
    expect(breaker.state()).toBe("open");
    await clock.advance(1_000);
    const late = hang();
    const trial = breaker.claim(request);
    late.fail();
    await failing(trial);
    expect(breaker.state()).toBe("open");
  });
});
