// Keys a second of two-phase claims in Redis, against as many pipelined SET NX EX by the same client.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClaimRequest, type ClaimStore, claimFound } from "../../collector/claims/claims.ts";
import { createRedisClaims } from "../../collector/claims/redis.ts";
import { createSqliteClaims } from "../../collector/claims/sqlite.ts";
import { systemClock } from "../../shared/clock.ts";
import { claimDoneMs } from "../../shared/limits.ts";
import { serviceUrl } from "../support/services.ts";
import { type Bench, interleave, median, ratioOf, type Spent, spend } from "./bench.ts";

const rounds = 7;
const batchKeys = 500;
/** Keys a turn: 100 batches, a good second at most where a call takes 10 ms. */
const turnKeys = 50_000;
/** Batches under way at once: one after another, and as a busy collector has them. */
const lanesOf = [1, 4] as const;

export default {
  name: "claims",
  needs: ["redis"],
  async run({ add, say }) {
    const url = serviceUrl("redis");
    const admin = new Bun.RedisClient(url);
    const claims = createRedisClaims({ url, prefix: systemClock.random(8) });
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const path = join(folder, "claims.sqlite");
    const embedded = createSqliteClaims({ path, prefix: systemClock.random(8), clock: systemClock });
    try {
      for (const lanes of lanesOf) {
        say(`${rounds} rounds of ${turnKeys} keys, ${lanes} batches at once`);
        const taken = await interleave<string, Taken>(rounds, {
          twoPhase: () => onServer(admin, claimAndSettle(claims, lanes)),
          sets: () => onServer(admin, pipelinedSets(admin, lanes)),
          ...(lanes === 1 ? { embedded: () => onServer(admin, claimAndSettle(embedded, lanes)) } : {}),
        });
        const rate = (side: string) => taken[side]!.map(({ wallMs }) => (turnKeys / wallMs) * 1000);
        const cpuUs = (side: string) => taken[side]!.map(({ cpuMs }) => (cpuMs * 1000) / turnKeys);
        const serverUs = (side: string) =>
          median(taken[side]!.map((one) => (one.serverMs * 1000) / turnKeys));
        const place = lanes === 1 ? "one batch at a time" : `${lanes} batches at once`;
        const [faster, cheaper] = [
          ratioOf(rate("twoPhase"), rate("sets")),
          ratioOf(cpuUs("twoPhase"), cpuUs("sets")),
        ];
        add(`${place}: ${batchKeys} pipelined SET NX EX`, median(rate("sets")), "keys/s");
        add(`${place}: claim and settle, to the SETs`, median(rate("twoPhase")), "keys/s", {
          ratio: faster,
          goal: "≥ 1",
          ok: faster >= 1,
        });
        add(`${place}: client's processor time, to the SETs'`, median(cpuUs("twoPhase")), "µs/key", {
          ratio: cheaper,
          goal: "≤ 0.5",
          ok: cheaper <= 0.5,
        });
        add(`${place}: server's processor time, to the SETs'`, serverUs("twoPhase"), "µs/key", {
          ratio: serverUs("twoPhase") / serverUs("sets"),
        });
        if (lanes !== 1) continue;
        const embeddedUs = taken["embedded"]!.map(({ wallMs }) => (wallMs * 1000) / turnKeys);
        add("in a file (sqlite:), claim and settle", median(embeddedUs), "µs/key");
      }
    } finally {
      await claims.close();
      await embedded.close();
      admin.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

type Turn = () => Promise<unknown>;
interface Taken extends Spent {
  serverMs: number;
}

// Every turn meets an empty server, so that none pays for the keys of another.
async function onServer(admin: Bun.RedisClient, turn: Turn): Promise<Taken> {
  await admin.send("FLUSHALL", ["SYNC"]);
  const before = await serverCpuMs(admin);
  const spent = await spend(turn);
  return { ...spent, serverMs: (await serverCpuMs(admin)) - before };
}

async function serverCpuMs(admin: Bun.RedisClient): Promise<number> {
  const text = String(await admin.send("INFO", ["cpu"]));
  const seconds = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1]);
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1000;
}

/** Both phases over fresh keys; a key found there would have been counted as a copy. */
function claimAndSettle(claims: ClaimStore, lanes: number): Turn {
  const requests = Array.from({ length: turnKeys / batchKeys }, makeRequest);
  return () =>
    inLanes(lanes, requests, async (request) => {
      const found = await claims.claim(request);
      if (found.some((code) => code !== claimFound.nothing)) throw new Error("a fresh key was found claimed");
      await claims.settle(request);
    });
}

const makeRequest = (): ClaimRequest => ({
  batchId: systemClock.random(16),
  attempt: systemClock.random(8),
  count: batchKeys,
  hashes: systemClock.random(16 * batchKeys),
  fingerprints: systemClock.random(8 * batchKeys),
});

/** One phase alone, the keys as texts made beforehand; the client pipelines what is sent together. */
function pipelinedSets(client: Bun.RedisClient, lanes: number): Turn {
  const seconds = String(claimDoneMs / 1000);
  const batches = Array.from({ length: turnKeys / batchKeys }, () =>
    Array.from({ length: batchKeys }, () => `weir:${Buffer.from(systemClock.random(16)).toString("hex")}`),
  );
  return () =>
    inLanes(lanes, batches, async (keys) => {
      const answers = await Promise.all(
        keys.map((key) => client.send("SET", [key, "1", "NX", "EX", seconds])),
      );
      if (answers.some((answer) => answer !== "OK")) throw new Error("a fresh key was found set");
    });
}

async function inLanes<Item>(
  lanes: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
