// The words of the command line: what they are read as, and what is misuse.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createAccept } from "../../../edge/accept.ts";
import { type ImportPlace, registerImport } from "../../../edge/command/register-import.ts";
import { registerLoad } from "../../../edge/command/register-load.ts";
import { systemClock } from "../../../shared/clock.ts";
import { webCryptoHash } from "../../../shared/event/hash.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { recordingCollector } from "./recording-collector.ts";
import { type SmallEdge, startSmallEdge } from "./small-edge.ts";

let folder: string;
let edge: SmallEdge;
let output: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weir-register-"));
  edge = startSmallEdge();
});
afterAll(async () => {
  await edge.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  output = "";
  const keep = (text: unknown): boolean => {
    output += String(text);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(keep);
  vi.spyOn(process.stderr, "write").mockImplementation(keep);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

const places: ImportPlace[] = [];
const collector = recordingCollector();

/** Runs the command line; the answer is its exit code, or what the library says of a wrong word. */
async function weir(...words: string[]): Promise<number | string> {
  const program = new Command().exitOverride();
  const deps = {
    collector,
    clock: systemClock,
    hash: webCryptoHash,
    meter: silentMeter,
    logger: silentLogger,
  };
  registerImport(program, (place, work) => {
    places.push(place);
    const accept = createAccept({ name: "test", ...deps });
    const rest = { project: "p", logId: "l", dataDir: folder, clock: systemClock, isTerminal: false };
    return work({ accept, outcomesOf: collector.outcomesOf, ...rest });
  });
  registerLoad(
    program,
    (project, work) => work({ ...edge.verifyDeps, reconcile: async () => ({ ok: project === "shop" }) }),
    () => "wk_right",
  );
  for (const command of program.commands.flatMap((found) => [found, ...found.commands]))
    command.exitOverride();
  try {
    await program.parseAsync(words, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
const lastObject = (): Record<string, unknown> => JSON.parse(output.trimEnd().split("\n").at(-1)!);

describe("weir import", () => {
  it("reads its words and ends with one object", async () => {
    const file = join(folder, "a.csv");
    writeFileSync(file, "No;When\n1;2011-07-01 12:00\n");
    const map = ["--map", "event_id=No,type='sale'", "--map", "timestamp=When"];
    const words = ["--tz", "Asia/Kolkata", "--delimiter", ";", "--identity", "event_id", "--project", "shop"];
    expect(await weir("import", file, ...map, ...words, "--json")).toBe(0);
    expect(lastObject()).toMatchObject({ received: 1, stored: 1, duplicate: 0, quarantined: 0, ok: true });
    expect(places.at(-1)).toEqual({ project: "shop" });
  });

  it("ends with 1 where the file is damaged, and says so to a person", async () => {
    const file = join(folder, "cut.json");
    writeFileSync(file, '[{"type":"a","user_id":"u"}');
    expect(await weir("import", file)).toBe(1);
    expect(output).toMatch(
      /received 1 = stored 1 \+ duplicate 0 \+ quarantined 0\n.*\nthe file is damaged: .*ends before/,
    );
  });

  const misuses: [words: string[], ends: number | string, told: RegExp][] = [
    [["nowhere.ndjson"], 2, /cannot be read/],
    [["nowhere.ndjson", "--map", "a"], 2, /--map cannot be read/],
    [["nowhere.ndjson", "--format", "xml"], "commander.invalidArgument", /ndjson, json, csv/],
    [["nowhere.ndjson", "--frobnicate"], "commander.unknownOption", /frobnicate/],
    [[], "commander.missingArgument", /file/],
  ];
  for (const [words, ends, told] of misuses)
    it(`is misused by ${JSON.stringify(words)}`, async () => {
      expect(await weir("import", ...words)).toBe(ends);
      expect(output).toMatch(told);
    });
});

describe("weir load", () => {
  it("sends, and verify compares; the exit code says what was found", async () => {
    const log = join(folder, "load.log");
    const shares = ["--duplicate", "0.2", "--late", "0.1", "--bad", "0.1"];
    const pace = ["--rate", "2000", "--seconds", "0.2", "--batch", "20", "--connections", "2"];
    expect(await weir("load", "--url", edge.url, ...shares, ...pace, "--log", log, "--json")).toBe(0);
    expect(lastObject()).toMatchObject({ failed: 0, retries: 0, ok: true });
    expect(await weir("load", "verify", log, "--project", "shop", "--json")).toBe(0);
    expect(lastObject()).toMatchObject({ ok: true, missing: 0, extra: 0, mismatches: [] });
    expect(await weir("load", "verify", log)).toBe(1);
    expect(output).toContain("reconcile does not close");
  });

  const misuses: [words: string[], ends: number | string][] = [
    [["--rate", "fast"], "commander.invalidArgument"],
    [["--duplicate", "1.5"], "commander.invalidArgument"],
    [["--batch", "2.5"], "commander.invalidArgument"],
    [["--file", "a.ndjson", "--synthetic"], 2],
    [["--url", "nowhere"], 2],
    [["verify", "nowhere.log"], 2],
    [["--log", "/nowhere/a.log"], 2],
  ];
  for (const [words, ends] of misuses)
    it(`is misused by ${words.join(" ")}`, async () => {
      expect(await weir("load", ...words)).toBe(ends);
    });
});
