// The table of the embedded drivers against the plainest way to write its rules down.
import { describe, expect, it } from "vitest";
import { type ClaimRequest, claimFound } from "../../../collector/claims/claims.ts";
import { createClaimTable } from "../../../collector/claims/table.ts";
import { toHex } from "../../../shared/event/bytes.ts";
import { claimRequest } from "../../contract/claims.ts";

interface Entry {
  isDone: boolean;
  owner: string;
  print: string;
  until: number;
}

/** The rules key by key, on a map that forgets nothing but what has ended. */
function plainTable(leaseMs: number, doneMs: number) {
  const entries = new Map<string, Entry>();
  const keysOf = (request: ClaimRequest) =>
    Array.from({ length: request.count }, (_, at) => ({
      key: toHex(request.hashes.subarray(at * 16, at * 16 + 16)),
      print: toHex(request.fingerprints.subarray(at * 8, at * 8 + 8)),
    }));
  const live = (key: string, now: number): Entry | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.until > now ? entry : undefined;
  };
  return {
    claim: (request: ClaimRequest, now: number): number[] =>
      keysOf(request).map(({ key, print }) => {
        const entry = live(key, now);
        if (entry === undefined) {
          entries.set(key, { isDone: false, owner: toHex(request.attempt), print, until: now + leaseMs });
          return claimFound.nothing;
        }
        if (!entry.isDone) return claimFound.pending;
        entry.until = now + doneMs;
        if (entry.owner === toHex(request.batchId)) return claimFound.doneSameBatch;
        return entry.print === print ? claimFound.doneSameContent : claimFound.doneOtherContent;
      }),
    settle(request: ClaimRequest, now: number) {
      for (const { key, print } of keysOf(request)) {
        const entry = live(key, now);
        if (entry?.isDone) entry.until = now + doneMs;
        else entries.set(key, { isDone: true, owner: toHex(request.batchId), print, until: now + doneMs });
      }
    },
    release(request: ClaimRequest, now: number) {
      for (const { key } of keysOf(request)) {
        const entry = live(key, now);
        if (entry && !entry.isDone && entry.owner === toHex(request.attempt)) entries.delete(key);
      }
    },
  };
}

function roller(seed: number) {
  let state = seed;
  return (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

// Few keys, batches and attempts, so that they meet; the first word is the same for many, so that they probe.
function rolledRequest(roll: (below: number) => number): ClaimRequest {
  const count = 1 + roll(6);
  const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);
  const column = (width: number, value: () => number) =>
    Buffer.concat(
      Array.from({ length: count }, () => Buffer.concat([bytes(4, 1), bytes(width - 4, value())])),
    );
  return {
    count,
    batchId: bytes(16, roll(4)),
    attempt: bytes(8, roll(5)),
    hashes: column(16, () => roll(25)),
    fingerprints: column(8, () => roll(2)),
  };
}

describe("the claim table", () => {
  it("answers as its rules do, over any run of calls and pauses", () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      const roll = roller(seed);
      const [table, plain] = [createClaimTable({ leaseMs: 30, doneMs: 100 }), plainTable(30, 100)];
      let now = 1_000_000;
      for (let step = 0; step < 200; step += 1) {
        now += roll(4) === 0 ? roll(130) : roll(8);
        const request = rolledRequest(roll);
        const call = (["claim", "claim", "settle", "release"] as const)[roll(4)]!;
        const expected = plain[call](request, now);
        const found = table[call](request, now);
        if (call === "claim")
          expect([...(found as Uint8Array)], `seed ${seed} step ${step}`).toEqual(expected);
      }
    }
  });

  it("grows without losing a key", () => {
    const table = createClaimTable();
    const requests = Array.from({ length: 100 }, () => claimRequest(500));
    for (const request of requests) table.settle(request, 1_000);
    for (const request of requests) {
      const found = table.claim({ ...request, batchId: new Uint8Array(16) }, 2_000);
      expect(found.every((code) => code === claimFound.doneSameContent)).toBe(true);
    }
    expect(table.turns()).toBe(1);
  });

  it("holds no more keys than it may, and forgets the oldest first", () => {
    const table = createClaimTable({ keysMax: 1_000 });
    const requests = Array.from({ length: 10 }, () => claimRequest(500));
    for (const request of requests) table.settle(request, 1_000);
    expect(table.turns()).toBe(5);
    const isKnown = (request: ClaimRequest): boolean => table.claim(request, 1_001)[0] !== claimFound.nothing;
    expect([isKnown(requests[9]!), isKnown(requests[8]!)]).toEqual([true, true]);
    expect([isKnown(requests[0]!), isKnown(requests[5]!)]).toEqual([false, false]);
  });

  it("refuses a lease that would outlast what is done", () => {
    expect(() => createClaimTable({ leaseMs: 200, doneMs: 100 })).toThrow("may not outlast");
  });
});
