// The replay command: a store moved, rows put back, a schema swapped; and its exit codes.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { openProcesses } from "../support/processes.ts";

const sample = join(import.meta.dirname, "../data/online_retail_sample.ndjson.gz");
const minutes = 5 * 60_000;

describe("weir replay", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-replay-command-"));
  const processes = openProcesses();
  const settings = { WEIR_DATA_DIR: join(folder, "data") };
  const weir = (...words: string[]) => processes.run([...words, "--json"], settings);
  let held: Store;
  beforeAll(async () => {
    await copyDatabase(join(settings.WEIR_DATA_DIR, "postgres"));
    // Kept open, so that no command has to start the database and to stop it.
    held = await openLive();
    expect(await weir("import", sample)).toMatchObject({ code: 0 });
  }, minutes);
  afterAll(async () => {
    await processes.close();
    await held?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const openLive = () => openStore("embedded:", { schema: "weir", dataDir: settings.WEIR_DATA_DIR });

  it(
    "moves a store to another server",
    async () => {
      const to = `embedded:${join(folder, "moved")}`;
      const moved = await weir("replay", "--from", "embedded:", "--into", to);
      expect(moved).toMatchObject({ code: 0, result: { ok: true, way: "copy", equal: true } });
      expect(await weir("replay", "--from", "embedded:", "--into", to)).toMatchObject({ code: 1 });
      expect(existsSync(join(folder, "moved"))).toBe(true);
    },
    minutes,
  );

  it(
    "puts rows back into the configured store",
    async () => {
      const live = await openLive();
      const { count } =
        await live.sql`delete from events where id in (select id from events order by id limit 50)`;
      await live.close();
      expect(count).toBe(50);
      const restored = await weir("replay", "--into", "embedded:");
      expect(restored).toMatchObject({ code: 0, result: { ok: true, way: "restore", restored: count } });
    },
    minutes,
  );

  it(
    "builds beside the live schema, and swaps",
    async () => {
      const beside = await weir("replay", "--schema", "weir_two");
      expect(beside).toMatchObject({ code: 0, result: { ok: true, way: "rebuild", equal: true } });
      const swapped = await weir("replay", "--swap");
      expect(swapped).toMatchObject({ code: 0, result: { equal: true } });
      expect(swapped.result["replaced"]).toMatch(/^weir_until_/);
      expect(await weir("import", sample)).toMatchObject({ code: 0, result: { stored: 0, ok: true } });
    },
    minutes,
  );

  it.each([
    [["replay"]],
    [["replay", "--from", "embedded:", "--into", "embedded:x", "--swap"]],
    [["replay", "--swap", "now"]],
  ])("ends with 2 where it is misused: %j", async (words) => {
    expect(await weir(...words)).toMatchObject({ code: 2 });
  });
});
