// Claims that keep nothing and find nothing: what the real ones are measured against.
import type { ClaimStore } from "../../collector/claims/claims.ts";

export const noClaims: ClaimStore = {
  claim: async ({ count }) => new Uint8Array(count),
  settle: async () => {},
  release: async () => {},
  count: async () => 0,
  health: async () => ({ evicts: false, detail: "none" }),
  close: async () => {},
};
