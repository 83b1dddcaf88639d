// An import killed at any moment and started again neither loses nor doubles, even events without an id.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../edge/command/load/random.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const events = 60_000;
const kills = 3;
const waitMsMax = 120_000;
const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 1_000_000);

describe("an import killed again and again", () => {
  let folder: string;
  let file: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "weir-killed-"));
    file = join(folder, "events.ndjson");
    // Neither id nor time: nothing but its place in its batch tells one from another.
    const lines = Array.from(
      { length: events },
      (_, at) => `{"type":"tick","user_id":"u${at % 97}","payload":{"at":${at}}}\n`,
    );
    writeFileSync(file, lines.join(""));
  });
  afterAll(async () => {
    await endOrphan();
    rmSync(folder, { recursive: true, force: true });
  });

  it(
    "is exact in the end",
    async () => {
      console.info(`killed at random moments: WEIR_TEST_SEED=${seed}`);
      const random = createRandom(seed);
      let killed = 0;
      let last: Ended | undefined;
      while (killed < kills && last === undefined) {
        const child = weir("import", file, "--json");
        const end = ended(child);
        await until("a checkpoint", waitMsMax, () => hasCheckpoint() || child.exitCode !== null);
        await new Promise((resolve) => setTimeout(resolve, random() * 1000));
        if (child.exitCode === null) {
          // Its database lives on and may hold its pipes open, so only the process itself is waited for.
          const gone = once(child, "exit");
          child.kill("SIGKILL");
          await gone;
          killed += 1;
        } else last = await end;
      }
      expect(killed).toBeGreaterThan(0);
      last ??= await ended(weir("import", file, "--json"));
      expect(last.code, last.errors).toBe(0);
      expect(last.result).toMatchObject({
        received: events,
        stored: events,
        duplicate: 0,
        quarantined: 0,
        resumed: true,
      });
      expect(hasCheckpoint()).toBe(false);
      const reconciled = await ended(weir("reconcile", "--json"));
      expect(reconciled.result).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
    },
    5 * 60_000,
  );

  const dataDir = (): string => join(folder, "data");
  const hasCheckpoint = (): boolean =>
    existsSync(dataDir()) && readdirSync(dataDir()).some((name) => /^import-\w+\.json$/.test(name));

  function weir(...words: string[]): ChildProcess {
    const env = { ...process.env, WEIR_DATA_DIR: dataDir() };
    return spawn(process.execPath, ["weir.ts", ...words], {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  // The database of a killed parent lives on, and those who join it leave it running.
  async function endOrphan(): Promise<void> {
    const pidFile = join(dataDir(), "postgres", "data", "postmaster.pid");
    if (!existsSync(pidFile)) return;
    process.kill(Number(readFileSync(pidFile, "utf8").split("\n")[0]), "SIGINT");
    await until("the server is gone", waitMsMax, () => !existsSync(pidFile));
  }
});

interface Ended {
  code: number | null;
  errors: string;
  /** The last line of its output, as an object. */
  result: unknown;
}

function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    let output = "";
    let errors = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr?.on("data", (chunk) => {
      errors += chunk;
    });
    child.on("close", (code) => {
      const line = output.trimEnd().split("\n").at(-1) ?? "";
      resolve({ code, errors, result: line.startsWith("{") ? JSON.parse(line) : line });
    });
  });
}
