// The edge as a real process on each runtime: started as its README says, found by what it prints, ended.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";

export const root: string = join(import.meta.dirname, "../..");
const start = join(root, "edge/adapter/start.ts");
const readyMsMax = 60_000;

export interface RunningEdge {
  url: string;
  /** Everything it wrote so far. */
  said(): string;
  /** Processor time it has had, read from /proc; of workerd alone where that serves. */
  cpuMs(): number;
  /** Ends it as its operator would. */
  stop(): Promise<void>;
  /** Ends it and its children with SIGKILL. */
  kill(): Promise<void>;
}

export type StartEdge = (program: string, settings: Readonly<Record<string, string>>) => Promise<RunningEdge>;

const denoWords = ["run", "--no-prompt", "--no-check", "--allow-net", "--allow-env", "--allow-read"];

export const startOnBun: StartEdge = (path, settings) => spawned(path, [start], settings);
export const startOnNode: StartEdge = (path, settings) => spawned(path, [start], settings);
export const startOnDeno: StartEdge = (path, settings) => spawned(path, [...denoWords, start], settings);

/** Deno's other way: the object with `fetch`, as Deno Deploy takes it. */
export const startOnDenoServe: StartEdge = (path, settings) => {
  const adapter = join(root, "edge/adapter/deno.ts");
  const words = ["serve", "--no-check", "--host=127.0.0.1", "--port=0", "--allow-net", "--allow-env"];
  return spawned(path, [...words, "--allow-read", adapter], settings);
};

/** What a Worker's host is told, beside the bundle. */
export interface WorkerHost {
  script: string;
  bindings: Readonly<Record<string, string>>;
  /** Where Durable Objects lie; none without it. */
  persist?: string | undefined;
}

/** workerd by miniflare on Node, with the bundle that would be deployed. */
export const startOnWorkerd: StartEdge = (node, settings) => startWorker(node, settings);

export async function startWorker(
  node: string,
  bindings: Readonly<Record<string, string>>,
  more: Partial<WorkerHost> = {},
): Promise<RunningEdge> {
  const host: WorkerHost = { script: deployedBundle(), bindings, ...more };
  return await spawned(node, [join(root, "test/runtime/workerd-host.ts"), JSON.stringify(host)], {});
}

let bundle: string | undefined;

/** The Worker as `wrangler deploy` would send it, built once a process. */
export function deployedBundle(config = "edge/wrangler.jsonc"): string {
  if (bundle === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "weir-worker-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    wrangler(["deploy", "--dry-run", "--config", config, "--outdir", folder]);
    bundle = join(folder, "cloudflare.js");
  }
  return bundle;
}

/** Runs wrangler without a login, and answers what it said. */
export function wrangler(words: readonly string[]): string {
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true", NO_COLOR: "1" };
  const program = join(root, "node_modules/wrangler/bin/wrangler.js");
  return execFileSync("node", [program, ...words], { cwd: root, env, encoding: "utf8", timeout: 120_000 });
}

export async function spawned(
  program: string,
  words: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<RunningEdge> {
  const plain = Object.entries(process.env).filter(([name]) => !/^(WEIR_|VITEST|NODE_)/.test(name));
  const env = { ...Object.fromEntries(plain), WEIR_EDGE_PORT: "0", NO_COLOR: "1", ...settings };
  // A group of its own, so that a runtime's own children end with it.
  const child = spawn(program, words, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += String(text)));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const killGroup = (): void => signalGroup(child, "SIGKILL");
  process.once("exit", killGroup);
  const address = (): string | undefined => /https?:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
  try {
    await until(`${program} listens`, readyMsMax, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
      return address() !== undefined;
    });
  } catch (error) {
    killGroup();
    throw new Error(`${error instanceof Error ? error.message : error}\n${said}`);
  }
  return {
    url: address()!,
    said: () => said,
    cpuMs: () => groupCpuMs(child.pid!),
    async stop() {
      child.kill("SIGTERM");
      await ended;
      process.off("exit", killGroup);
    },
    async kill() {
      killGroup();
      await ended;
      process.off("exit", killGroup);
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // It is gone already.
  }
}

/** A tick of /proc is a hundredth of a second. */
const tickMs = 10;

function groupCpuMs(group: number): number {
  const found = readdirSync("/proc").flatMap((pid) => {
    try {
      const [, name = "", rest = ""] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      const fields = rest.split(" ").map(Number);
      return fields[2] === group ? [{ name, ms: (fields[11]! + fields[12]!) * tickMs }] : [];
    } catch {
      return [];
    }
  });
  const workers = found.filter(({ name }) => name === "workerd");
  return (workers.length > 0 ? workers : found).reduce((sum, { ms }) => sum + ms, 0);
}
