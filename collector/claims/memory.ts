// Claims in this process alone, gone with it: for tests and simulations.
import type { Clock } from "../../shared/clock.ts";
import type { ClaimStore } from "./claims.ts";
import { createClaimTable, type TableOptions } from "./table.ts";

export interface MemoryClaimsOptions extends TableOptions {
  clock: Clock;
}

/** One log's claims; every collector that is to see them is given the same object. */
export function createMemoryClaims(options: MemoryClaimsOptions): ClaimStore {
  const { clock } = options;
  const table = createClaimTable(options);
  const counters = new Map<string, { sum: number; untilMs: number }>();
  return {
    claim: async (request) => table.claim(request, clock.now()),
    settle: async (request) => table.settle(request, clock.now()),
    release: async (request) => table.release(request, clock.now()),
    async count(name, events, untilMs) {
      const found = counters.get(name);
      const sum = (found !== undefined && clock.now() < found.untilMs ? found.sum : 0) + events;
      if (events > 0) counters.set(name, { sum, untilMs });
      return sum;
    },
    health: async () => ({ evicts: false, detail: "in memory" }),
    async close() {},
  };
}
