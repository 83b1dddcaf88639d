// A load's account is exact: what verify finds is what happened, and every kind of loss or doubling is told.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { foldIds, unfoldIds } from "../../../edge/command/load/id-list.ts";
import { createLatencies } from "../../../edge/command/load/latency.ts";
import type { LoadEvent } from "../../../edge/command/load/load-events.ts";
import { planRequests } from "../../../edge/command/load/plan.ts";
import { createRandom } from "../../../edge/command/load/random.ts";
import { type LoadOptions, type LoadResult, runLoad } from "../../../edge/command/load.ts";
import { type VerifyResult, verifyLoad } from "../../../edge/command/load-verify.ts";
import { systemClock } from "../../../shared/clock.ts";
import { retailSample } from "../../support/retail.ts";
import { type Fate, type SmallEdge, startSmallEdge } from "./small-edge.ts";

let folder: string;
let edge: SmallEdge | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weir-load-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await edge?.close();
  edge = undefined;
});

// Backoff is cut short: what is tested is what is sent again, not when.
const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)) };
const logFile = (): string => join(folder, "load.log");

function load(to: SmallEdge, options: Partial<LoadOptions> = {}): Promise<LoadResult> {
  edge = to;
  const usual = {
    rate: 0,
    duplicate: 0.142,
    late: 0.05,
    bad: 0.03,
    batch: 100,
    connections: 4,
    giveUpSeconds: 30,
  };
  return runLoad(
    {
      url: to.url,
      key: "wk_right",
      file: retailSample().file,
      seed: 7,
      log: logFile(),
      ...usual,
      ...options,
    },
    clock,
  );
}
const verify = (of: SmallEdge): Promise<VerifyResult> => verifyLoad(logFile(), of.verifyDeps);

describe("a load and its verification", () => {
  it("agree exactly when every request was answered, copies, late and bad ones included", async () => {
    const to = startSmallEdge();
    const { rows } = retailSample().facts;
    const sent = await load(to);
    expect(sent).toMatchObject({ failed: 0, retries: 0, unsendable: 0, ok: true });
    expect(sent.sent).toBe(rows + sent.copies);
    expect(sent.bad).toBeGreaterThan(rows * 0.015);
    expect(sent.copies).toBeGreaterThan(rows * 0.1);
    expect(await verify(to)).toEqual({
      distinct_sent: rows - sent.bad,
      acked: rows - sent.bad,
      stored: rows - sent.bad,
      missing: 0,
      extra: 0,
      copies_sent: sent.copies,
      copies_possible: 0,
      duplicate: sent.copies,
      bad_sent: sent.bad,
      quarantined: sent.bad,
      reconcile_ok: true,
      mismatches: [],
      ok: true,
    });
  });

  const troubles: [name: string, fate: (request: number) => Fate, isDoubtful: boolean][] = [
    ["some answers lost", (request) => (request % 5 === 2 ? "lost" : "told"), true],
    [
      "some refused, taken or not",
      (request) => (request % 4 === 1 ? "unknown" : request % 4 === 2 ? "refused" : "told"),
      true,
    ],
    ["a rate limit", (request) => (request % 2 === 1 ? "limited" : "told"), false],
  ];
  for (const [name, fate, isDoubtful] of troubles)
    for (const shared of [1, 3])
      it(`hold with ${name}, ${shared} requests a batch`, async () => {
        const to = startSmallEdge(fate, shared);
        const sent = await load(to);
        expect(sent.retries).toBeGreaterThan(0);
        const found = await verify(to);
        expect(found.mismatches).toEqual([]);
        expect(found).toMatchObject({
          stored: found.distinct_sent,
          missing: 0,
          extra: 0,
          copies_sent: sent.copies,
          ok: true,
        });
        expect(found.copies_possible > 0).toBe(isDoubtful);
      });

  it("count a request that was given up as failed, and still agree", async () => {
    const to = startSmallEdge((request) => (request > 10 ? "lost" : "told"));
    const sent = await load(to, { giveUpSeconds: 0, connections: 1 });
    expect(sent.ok).toBe(false);
    expect(sent.acked + sent.failed).toBe(sent.sent);
    const found = await verify(to);
    expect(found.mismatches).toEqual([]);
    expect(found.acked).toBeLessThan(found.distinct_sent);
  });

  const breakings: [name: string, harm: (of: SmallEdge) => void, told: RegExp][] = [
    [
      "a lost row",
      (of) => of.rows.delete("or-000001-none") || of.rows.delete([...of.rows.keys()][0]!),
      /1 acknowledged events are not stored/,
    ],
    ["a doubled row", (of) => of.rows.set([...of.rows.keys()][0]!, 2), /1 rows too many/],
    ["a duplicate counted as stored", (of) => shift(of, "duplicate", "stored"), /counts \d+ stored/],
    ["a refused event counted as a duplicate", (of) => shift(of, "quarantined", "duplicate"), /quarantined/],
    ["an event nobody sent", (of) => shift(of, "known", "received"), /received/],
    ["an expired event", (of) => shift(of, "stored", "expired"), /expired/],
  ];
  for (const [name, harm, told] of breakings)
    it(`part at ${name}`, async () => {
      const to = startSmallEdge();
      await load(to);
      harm(to);
      const found = await verify(to);
      expect(found.ok).toBe(false);
      expect(found.mismatches.join("\n")).toMatch(told);
    });

  it("part when reconcile does not close", async () => {
    const to = startSmallEdge();
    await load(to, { file: undefined, seconds: 0.05 });
    const found = await verifyLoad(logFile(), { ...to.verifyDeps, reconcile: async () => ({ ok: false }) });
    expect(found).toMatchObject({ ok: false, mismatches: ["reconcile does not close"] });
  });

  it("agree on what a killed load left: an open request and a line cut off", async () => {
    const to = startSmallEdge();
    await load(to, { connections: 1 });
    const lines = readFileSync(logFile(), "utf8").trimEnd().split("\n");
    const kept = lines.slice(0, lines.length - 4);
    expect(JSON.parse(kept.at(-1)!)).toHaveProperty("acked");
    writeFileSync(logFile(), `${kept.join("\n")}\n${lines[lines.length - 4]}\n{"acked":`);
    const found = await verify(to);
    expect(found.mismatches).toEqual([]);
    expect(found.copies_possible).toBeGreaterThan(0);
  });

  it("make up events at a rate, and measure from when each request was due", async () => {
    const to = startSmallEdge();
    const real = { ...systemClock };
    edge = to;
    const sent = await runLoad(
      {
        ...{ url: to.url, key: "wk_right", rate: 1000, seconds: 0.5, duplicate: 0, late: 0, bad: 0 },
        ...{ batch: 50, connections: 2, giveUpSeconds: 1, seed: 1, log: logFile() },
      },
      real,
    );
    expect(sent.sent).toBeGreaterThanOrEqual(450);
    expect(sent.sent).toBeLessThanOrEqual(600);
    expect(sent.latency_ms.p50).toBeGreaterThan(0);
    expect(sent.latency_ms.max).toBeGreaterThanOrEqual(sent.latency_ms.p99);
    expect((await verify(to)).ok).toBe(true);
  });

  it("end at once with a wrong key, and with a file that is no log", async () => {
    await expect(load(startSmallEdge(), { key: "wk_wrong" })).rejects.toThrow(/401 unknown_write_key.*--key/);
    writeFileSync(logFile(), "hello\n");
    await expect(verify(edge!)).rejects.toThrow(/no log of a load/);
  });
});

// Moves one event from one count of the first batch that has it to another.
function shift(
  of: SmallEdge,
  from: "duplicate" | "quarantined" | "known" | "stored",
  to: "stored" | "duplicate" | "received" | "expired",
): void {
  for (const row of of.ledger.values()) {
    if (row[from] === 0) continue;
    if (from !== "known") row[from] -= 1;
    row[to] += 1;
    return;
  }
  throw new Error(`no batch has ${from}`);
}

describe("a plan of requests", () => {
  const events = (count: number): LoadEvent[] =>
    Array.from({ length: count }, (_, at) => ({
      id: `e${at}`,
      json: `{"event_id":"e${at}"}`,
      isBad: at % 10 === 0,
    }));

  it("sends each event once, each copy once, and no copy in the request of its original", async () => {
    const next = planRequests(events(3000).values(), { batch: 70, duplicate: 0.5, random: createRandom(3) });
    const placed = new Map<string, number>();
    const copied = new Map<string, number>();
    for (let request = await next(); request !== undefined; request = await next()) {
      expect(request.originals.length + request.copies.length).toBeLessThanOrEqual(70);
      for (const { id } of request.originals) placed.set(id, request.number);
      for (const { id, isBad } of request.copies) {
        expect(isBad).toBe(false);
        expect(copied.has(id)).toBe(false);
        copied.set(id, request.number);
        expect(placed.get(id)).toBeLessThan(request.number);
      }
    }
    expect(placed.size).toBe(3000);
    expect(copied.size).toBeGreaterThan(1200);
    expect(copied.size).toBeLessThan(1500);
  });

  it("keeps a request's body within a megabyte", async () => {
    const large = events(100).map((event) => ({
      ...event,
      json: JSON.stringify({ text: "é".repeat(30_000) }),
    }));
    const next = planRequests(large.values(), { batch: 100, duplicate: 1, random: createRandom(1) });
    let seen = 0;
    for (let request = await next(); request !== undefined; request = await next()) {
      const bytes = [...request.originals, ...request.copies].reduce(
        (sum, { json }) => sum + Buffer.byteLength(json) + 1,
        20,
      );
      expect(bytes).toBeLessThanOrEqual(1024 * 1024);
      seen += request.originals.length + request.copies.length;
    }
    expect(seen).toBe(190);
  });
});

describe("a log's ids", () => {
  const lists: string[][] = [
    [],
    ["a"],
    ["or-000008", "or-000009", "or-000010", "or-000012"],
    ["9", "10", "11"],
    ["x1", "x1", "x2", "y3"],
    ["1", "", "2", "a\n1", "a\n2"],
    ["n9007199254740993", "n9007199254740994", "n999", "n1000"],
  ];
  for (const ids of lists)
    it(`come back as they were: ${JSON.stringify(ids)}`, () => {
      expect([...unfoldIds(foldIds(ids))]).toEqual(ids);
    });
  it("take one entry where they follow one another", () => {
    expect(foldIds(["or-000008", "or-000009", "or-000010"])).toEqual([["or-000008", 3]]);
  });
});

describe("latencies", () => {
  it("are told to one per cent", () => {
    const latencies = createLatencies();
    for (let ms = 1; ms <= 1000; ms += 1) latencies.add(ms);
    for (const share of [0.5, 0.9, 0.95, 0.99])
      expect(Math.abs(latencies.quantile(share) / (share * 1000) - 1)).toBeLessThan(0.011);
    expect(latencies.quantile(1)).toBe(1000);
    expect(latencies.max()).toBe(1000);
    expect(createLatencies().quantile(0.5)).toBe(0);
  });
});
