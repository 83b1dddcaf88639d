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
  return {
    claim: async (request) => table.claim(request, clock.now()),
    settle: async (request) => table.settle(request, clock.now()),
    release: async (request) => table.release(request, clock.now()),
    health: async () => ({ evicts: false, detail: "in memory" }),
    async close() {},
  };
}
