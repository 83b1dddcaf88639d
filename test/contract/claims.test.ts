// Runs the claim contract on every driver; Redis is a real one, Upstash's protocol a gateway before it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClaimStore } from "../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { createRedisClaims } from "../../collector/claims/redis.ts";
import { createSqliteClaims } from "../../collector/claims/sqlite.ts";
import { createUpstashClaims } from "../../collector/claims/upstash.ts";
import { toHex } from "../../shared/event/bytes.ts";
import { manualClock } from "../support/clock.ts";
import { startRestGateway } from "../support/rest-gateway.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { claimsContract } from "./claims.ts";

claimsContract("memory", async () => {
  const clock = manualClock();
  const stores = new Map<string, ClaimStore>();
  return {
    async open(prefix, times) {
      const store = stores.get(toHex(prefix)) ?? createMemoryClaims({ clock, ...times });
      stores.set(toHex(prefix), store);
      return store;
    },
    pass: (ms) => clock.advance(ms),
    async stop() {},
  };
});

claimsContract("sqlite", async () => {
  const clock = manualClock();
  const folder = mkdtempSync(join(tmpdir(), "weir-claims-"));
  return {
    open: async (prefix, times) =>
      createSqliteClaims({ path: join(folder, "claims.db"), prefix, clock, ...times }),
    pass: (ms) => clock.advance(ms),
    async stop() {
      rmSync(folder, { recursive: true });
    },
  };
});

describeWith(["redis"], "on a real Redis", () => {
  claimsContract("redis", async () => ({
    open: async (prefix, times) => createRedisClaims({ url: serviceUrl("redis"), prefix, ...times }),
    pass: (ms) => Bun.sleep(ms),
    async stop() {},
  }));

  claimsContract("upstash", async () => {
    const gateway = await startRestGateway(serviceUrl("redis"), "token-of-the-test");
    return {
      open: async (prefix, times) => createUpstashClaims({ url: gateway.url, prefix, ...times }),
      pass: (ms) => Bun.sleep(ms),
      stop: () => gateway.stop(),
    };
  });
});
