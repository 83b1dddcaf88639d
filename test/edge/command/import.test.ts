// An import counts each event once, whatever fails and however often it is started.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAccept } from "../../../edge/accept.ts";
import {
  type ImportDeps,
  type ImportOptions,
  type ImportResult,
  importFile,
} from "../../../edge/command/import.ts";
import { systemClock } from "../../../shared/clock.ts";
import { webCryptoHash } from "../../../shared/event/hash.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { retailSample } from "../../support/retail.ts";
import { type RecordingCollector, recordingCollector } from "./recording-collector.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weir-import-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

// Waits are cut short: what is tested is what is sent, not how long it takes.
const clock = { ...systemClock, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)) };

function run(
  file: string,
  collector: RecordingCollector,
  options: Partial<ImportOptions> = {},
  deps: Partial<ImportDeps> = {},
): Promise<ImportResult> {
  const accept = createAccept({
    name: "import",
    collector,
    clock,
    hash: webCryptoHash,
    meter: silentMeter,
    logger: silentLogger,
  });
  const usual = { accept, project: "shop", logId: "log", dataDir: folder, clock, isTerminal: false };
  return importFile(file, { map: [], ...options }, { ...usual, outcomesOf: collector.outcomesOf, ...deps });
}

function write(name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

// Neither id nor time: known by its place in its batch alone, so a doubled batch is a doubled event.
const nameless = (count: number): string[] =>
  Array.from({ length: count }, (_, at) =>
    JSON.stringify({ type: "tick", user_id: `u${at % 7}`, payload: { at } }),
  );

describe("an import", () => {
  it("counts the real file as its facts do, again all as duplicates, and leaves no checkpoint", async () => {
    const { file, facts } = retailSample();
    const collector = recordingCollector();
    const first = await run(file, collector);
    expect(first).toMatchObject({
      received: facts.rows,
      stored: facts.rows,
      duplicate: 0,
      quarantined: 0,
      ok: true,
    });
    expect(readdirSync(folder)).toEqual([]);
    const second = await run(file, collector);
    expect(second).toMatchObject({
      received: facts.rows,
      stored: 0,
      duplicate: facts.rows,
      quarantined: 0,
      resumed: false,
    });
  });

  it("stores equal contents once where content is the identity", async () => {
    const { file, facts } = retailSample();
    const result = await run(file, recordingCollector(), { identity: "content" });
    expect(result).toMatchObject({
      stored: facts.stored_when_identity_is_content,
      duplicate: facts.duplicates_when_identity_is_content,
      ok: true,
    });
  });

  it("sets broken lines apart with their own bytes and takes the others", async () => {
    const good = '{"event_id":"1","type":"a","timestamp":"2011-01-01T00:00:00Z"}';
    const file = write("mixed.ndjson", [
      good,
      '{"event_id":',
      good.replace("Z", ""),
      good.replace('"1"', '"2"'),
    ]);
    const collector = recordingCollector();
    expect(await run(file, collector)).toMatchObject({ received: 4, stored: 2, quarantined: 2, ok: true });
    const [batch] = [...collector.batches.values()];
    expect(batch!.refusals.map(({ index, code }) => [index, code])).toEqual([
      [1, "event_malformed"],
      [2, "timestamp_without_offset"],
    ]);
    const from = batch!.sizes[0]!;
    expect(new TextDecoder().decode(batch!.bodies.subarray(from, from + batch!.sizes[1]!))).toBe(
      '{"event_id":',
    );
  });

  it("sends a part again under its id after an answer was lost or a batch refused", async () => {
    const collector = recordingCollector((call) =>
      call % 5 === 1 ? "silent" : call % 5 === 3 ? "refused" : "told",
    );
    const result = await run(write("a.ndjson", nameless(5000)), collector);
    expect(result).toMatchObject({ received: 5000, stored: 5000, duplicate: 0, ok: true });
    expect(collector.resent).toBeGreaterThan(0);
    expect(collector.batches.size).toBe(10);
  });

  for (const stopAfter of [0, 1, 4, 9])
    it(`that ends after call ${stopAfter} goes on as if nothing had been, even with nameless events`, async () => {
      const file = write("a.ndjson", nameless(6000));
      const collector = recordingCollector((call) => {
        if (call < stopAfter || call > stopAfter + 100) return "told";
        return call === stopAfter ? "silent" : "refused";
      });
      await expect(run(file, collector)).rejects.toThrow(/Nobody answers/);
      expect(readdirSync(folder).filter((name) => name.startsWith("import-"))).toHaveLength(1);
      const resumed = await untilDone(() => run(file, collector));
      expect(resumed).toMatchObject({ received: 6000, stored: 6000, duplicate: 0, resumed: true, ok: true });
      expect(collector.batches.size).toBe(12);
      expect(readdirSync(folder)).toEqual(["a.ndjson"]);
    });

  it("takes another log, project, identity or file for another import", async () => {
    const file = write("a.ndjson", nameless(10));
    const down = recordingCollector(() => "refused");
    const failing = (options: Partial<ImportOptions>, deps: Partial<ImportDeps>): Promise<unknown> =>
      expect(run(file, down, options, deps)).rejects.toThrow();
    await Promise.all([failing({}, {}), failing({}, { logId: "other" }), failing({}, { project: "other" })]);
    await failing({ identity: "content" }, {});
    writeFileSync(file, `${nameless(11).join("\n")}\n`);
    await failing({}, {});
    expect(readdirSync(folder).filter((name) => name.startsWith("import-"))).toHaveLength(5);
  });

  it("does not take up a run so old that its batches may be forgotten", async () => {
    const file = write("a.ndjson", nameless(10));
    const past = { ...clock, now: () => Date.now() - 7 * 86_400_000 };
    await expect(
      run(
        file,
        recordingCollector(() => "refused"),
        {},
        { clock: past },
      ),
    ).rejects.toThrow();
    await expect(run(file, recordingCollector())).rejects.toThrow(/more than six days ago; remove .*import-/);
  });

  it("tells of a damaged file, keeps what stands before the damage, and adds nothing the second time", async () => {
    const file = join(folder, "a.json");
    writeFileSync(file, `[${nameless(700).join(",")},{"type":"cut`);
    const collector = recordingCollector();
    const first = await run(file, collector);
    expect(first).toMatchObject({ received: 701, stored: 700, quarantined: 1, ok: false });
    expect(first.damage).toMatch(/ends before/);
    expect(await run(file, collector)).toMatchObject({
      received: 701,
      stored: 700,
      quarantined: 1,
      resumed: true,
    });
    expect(collector.batches.size).toBe(2);
  });

  it("says so when the ledger does not come after the log", async () => {
    const collector = recordingCollector();
    let now = Date.now();
    const hurried = { ...clock, now: () => (now += 1000) };
    const outcomesOf: ImportDeps["outcomesOf"] = async (ids) => ({
      ...(await collector.outcomesOf(ids)),
      known: 0,
    });
    await expect(
      run(write("a.ndjson", nameless(10)), collector, {}, { clock: hurried, outcomesOf }),
    ).rejects.toThrow(/not in the ledger.*start the command again/);
  });
});

async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 40; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}
