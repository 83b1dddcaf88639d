// The file of the sqlite: claims: what it survives, and how it stays small.
import { Database } from "bun:sqlite";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ClaimRequest, type ClaimStore, claimFound } from "../../../collector/claims/claims.ts";
import { createSqliteClaims, type SqliteClaimsOptions } from "../../../collector/claims/sqlite.ts";
import { claimDoneMs } from "../../../shared/limits.ts";
import { claimRequest } from "../../contract/claims.ts";
import { manualClock } from "../../support/clock.ts";

const prefix = new Uint8Array(8).fill(7);
let folder = "";
let path = "";
let clock = manualClock();
const opened: ClaimStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weir-claims-"));
  path = join(folder, "below", "claims.db");
  clock = manualClock();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

function open(more: Partial<SqliteClaimsOptions> = {}): ClaimStore {
  const store = createSqliteClaims({ path, prefix, clock, ...more });
  opened.push(store);
  return store;
}

async function close(store: ClaimStore): Promise<void> {
  opened.splice(opened.indexOf(store), 1);
  await store.close();
}

const rowsIn = (file: string): number => {
  const database = new Database(file, { readonly: true });
  const { rows } = database.query<{ rows: number }, []>("select count(*) as rows from claims").get()!;
  database.close();
  return rows;
};

const other = (request: ClaimRequest): ClaimRequest => ({ ...request, batchId: new Uint8Array(16) });

describe("claims in a file", () => {
  it("are there again after a restart, leases and contents too", async () => {
    const store = open();
    const [held, done, freed] = [claimRequest(2), claimRequest(2), claimRequest(2)];
    await store.claim(held);
    await store.claim(done);
    await store.settle(done);
    await store.claim(freed);
    await store.release(freed);
    await close(store);
    const again = open();
    expect([...(await again.claim(held))]).toEqual([claimFound.pending, claimFound.pending]);
    expect([...(await again.claim(other(done)))]).toEqual([
      claimFound.doneSameContent,
      claimFound.doneSameContent,
    ]);
    expect([...(await again.claim(freed))]).toEqual([claimFound.nothing, claimFound.nothing]);
    await again.release(held);
    expect([...(await again.claim(held))]).toEqual([claimFound.nothing, claimFound.nothing]);
  });

  it("older than they live are dropped, from the file too", async () => {
    const store = open();
    for (let round = 0; round < 8; round += 1) {
      for (let call = 0; call < 5; call += 1) await store.settle(claimRequest(10));
      await clock.advance(claimDoneMs);
    }
    await close(store);
    expect(rowsIn(path)).toBeLessThanOrEqual(10);
  });

  it("take no more of the file than two generations of calls", async () => {
    const journalBytesMax = 200_000;
    const store = open({ journalBytesMax });
    // Copies alone make no new key, and yet each call is written down.
    const request = claimRequest(500);
    await store.settle(request);
    for (let call = 0; call < 300; call += 1) await store.claim(other(request));
    const [last] = await store.claim(other(request));
    await close(store);
    expect(statSync(path).size).toBeLessThan(4 * journalBytesMax);
    expect(last).toBe(claimFound.doneSameContent);
  });

  it("of other logs in the file are left alone until they are too old", async () => {
    const [one, two] = [open(), open({ prefix: new Uint8Array(8).fill(9) })];
    const request = claimRequest(3);
    await one.settle(request);
    await clock.advance(claimDoneMs - 1);
    await two.settle(request);
    expect([...(await one.claim(other(request)))]).toEqual(Array(3).fill(claimFound.doneSameContent));
  });

  it("of a process that is slow to look are still found", async () => {
    const [one, two] = [open(), open()];
    const requests = Array.from({ length: 20 }, () => claimRequest(50));
    for (const request of requests) await one.settle(request);
    for (const request of requests) {
      expect(new Set(await two.claim(other(request)))).toEqual(new Set([claimFound.doneSameContent]));
    }
  });
});

describe("a claims file that is", () => {
  it("broken and ours is begun anew", async () => {
    const store = open();
    const requests = Array.from({ length: 40 }, () => claimRequest(500));
    for (const request of requests) await store.settle(request);
    await close(store);
    const bytes = readFileSync(path);
    expect(bytes.length).toBeGreaterThan(100_000);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(bytes.length - 100, 0xa5)]));
    const again = open();
    expect(new Set(await again.claim(requests[0]!))).toEqual(new Set([claimFound.nothing]));
    await again.settle(requests[0]!);
  });

  it("someone else's is neither written to nor thrown away", () => {
    const foreign = join(folder, "orders.db");
    const database = new Database(foreign, { create: true });
    database.run("create table orders (id integer)");
    database.close();
    const before = readFileSync(foreign);
    expect(() => open({ path: foreign })).toThrow("belongs to something else");
    expect(readFileSync(foreign).equals(before)).toBe(true);
    const letter = join(folder, "letter.txt");
    writeFileSync(letter, "dear sir, ".repeat(200));
    expect(() => open({ path: letter })).toThrow();
    expect(readFileSync(letter, "utf8")).toBe("dear sir, ".repeat(200));
  });

  it("locked by a stopped process rejects a call instead of waiting for it", async () => {
    const store = open();
    const database = new Database(path);
    database.run("begin immediate");
    await expect(store.claim(claimRequest(1))).rejects.toThrow("locked");
    database.run("rollback");
    database.close();
    expect([...(await store.claim(claimRequest(1)))]).toEqual([claimFound.nothing]);
  });
});
