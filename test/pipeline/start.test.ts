// `npm start` as somebody does it for the first time: one command, one curl, the event counted, Ctrl-C.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const minutes = 3 * 60_000;
/** Without load both are a few seconds; a busy machine takes its time. */
const firstReadyMs = 60_000;
const warmReadyMs = 20_000;
const storedMs = 2_000;
const endMs = 30_000;

describe("npm start", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-start-"));
  const clone = join(folder, "clone");
  const data = join(folder, "data");
  const started: ChildProcess[] = [];

  beforeAll(() => {
    const files = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" }).split("\0");
    for (const file of files.filter((name) => name !== "")) {
      mkdirSync(dirname(join(clone, file)), { recursive: true });
      cpSync(join(root, file), join(clone, file));
    }
    symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  });
  afterAll(() => {
    for (const child of started) end(child, "SIGKILL");
    for (const pid of processesOf(folder)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it(
    "is ready, prints a curl that works, shows its event within two seconds, and leaves nothing behind",
    async () => {
      const weir = await start(firstReadyMs);
      expect(weir.said()).toMatch(/dashboard +http/);
      const before = processesOf(folder);
      expect(before.length).toBeGreaterThan(2);
      const curl = /^ +(curl [\s\S]*?)\n\n/m.exec(weir.said())?.[1] ?? "";
      const answer = execFileSync("bash", ["-c", `${curl} -s -w '\\n%{http_code}'`], { encoding: "utf8" });
      const answeredAt = performance.now();
      const [body = "", status] = answer.split("\n");
      expect(status, answer).toBe("202");
      expect(JSON.parse(body)).toMatchObject({ received: 1, accepted: 1, errors: [] });
      const dashboard = /dashboard +(http\S+)/.exec(weir.said())?.[1];
      await until("the event is in the ledger", storedMs, async () => {
        const { data } = (await (await fetch(`${dashboard}/v1/ledger`)).json()) as {
          data: Record<string, unknown>[];
        };
        return data[0]?.["stored"] === 1;
      });
      console.info(`in the ledger after ${Math.round(performance.now() - answeredAt)} ms`);
      expect(await weir.stop()).toBe(0);
      expect(processesOf(folder)).toEqual([]);
    },
    minutes,
  );

  it(
    "is ready soon the second time, with what it had, and ends as well",
    async () => {
      const weir = await start(warmReadyMs);
      const dashboard = /dashboard +(http\S+)/.exec(weir.said())?.[1];
      const ledger = await (await fetch(`${dashboard}/v1/ledger`)).json();
      expect(ledger).toMatchObject({ data: [{ received: 1, stored: 1, in_flight: 0 }] });
      expect(await weir.stop()).toBe(0);
      expect(processesOf(folder)).toEqual([]);
    },
    minutes,
  );

  interface Start {
    said(): string;
    /** Ctrl-C: the terminal signals everything at once. Resolves with the exit code. */
    stop(): Promise<number | null>;
  }

  async function start(readyMs: number): Promise<Start> {
    const { PATH = "", HOME = "" } = process.env;
    const ports = { WEIR_EDGE_PORT: "0", WEIR_COLLECTOR_PORT: "0", WEIR_AGGREGATOR_PORT: "0" };
    const began = performance.now();
    const child = spawn("npm", ["start"], {
      cwd: clone,
      env: { PATH, HOME, WEIR_DATA_DIR: data, ...ports },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    started.push(child);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const isReady = (): boolean => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
      return said.includes("Ctrl-C stops everything.");
    };
    await until("it is ready", readyMs, isReady).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${said}`);
    });
    console.info(`ready after ${Math.round(performance.now() - began)} ms`);
    return {
      said: () => said,
      async stop() {
        end(child, "SIGINT");
        const force = setTimeout(() => end(child, "SIGKILL"), endMs);
        const code = await ended;
        clearTimeout(force);
        return code;
      },
    };
  }
});

// The whole group, as a terminal does; gone already is as good.
function end(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Processes that were started with the folder in hand, or work in it. Where there is no /proc, none is seen. */
function processesOf(folder: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      [
        () => readlinkSync(`/proc/${pid}/cwd`),
        () => readFileSync(`/proc/${pid}/cmdline`, "utf8"),
        () => readFileSync(`/proc/${pid}/environ`, "utf8"),
      ].some((look) => {
        try {
          return look().includes(folder);
        } catch {
          return false;
        }
      }),
    )
    .map(Number);
}
