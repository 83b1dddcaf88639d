// Weir's commands as real processes: started with the settings given and no others, heard, and ended.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { until } from "./until.ts";

export type Settings = Readonly<Record<string, string>>;

/** A command that ran to its end. */
export interface Ended {
  code: number | null;
  said: string;
  /** The last line of its standard output where that is an object, as `--json` prints it. */
  result: Record<string, unknown>;
}

/** One of the three processes, ready. */
export interface Station {
  url: string;
  pid: number;
  /** Everything it wrote so far, to both of its outputs. */
  said(): string;
  /** Asks it to end, and rejects unless it does so with 0. */
  stop(): Promise<void>;
  /** Ends it as a crash would, and waits until it is gone. */
  kill(): Promise<void>;
}

export interface Processes {
  /** Starts a process on a free port; resolves when its /readyz says so. */
  start(command: "edge" | "collector" | "aggregator", settings: Settings): Promise<Station>;
  /** Runs a command to its end, and ends it by force after `msMax`. */
  run(words: readonly string[], settings: Settings, msMax?: number): Promise<Ended>;
  /** What all of them wrote. */
  said(): string;
  /** Stops what still runs, newest first, and rejects where one did not end with 0. */
  close(): Promise<void>;
}

const root = join(import.meta.dirname, "../..");
const readyMsMax = 60_000;
const runMsMax = 300_000;
/** A collector may wait for a publish under way, and a consumer for its group. */
const stopMsMax = 30_000;
const ports = { WEIR_EDGE_PORT: "0", WEIR_COLLECTOR_PORT: "0", WEIR_AGGREGATOR_PORT: "0" };

interface Heard {
  child: ChildProcess;
  said: string;
  told: string;
  ended: Promise<number | null>;
}

/** Nothing runs yet; whatever is started through this is ended by `close`, or with the test's own process. */
export function openProcesses(): Processes {
  const all: Heard[] = [];
  const stations: Station[] = [];
  const killAll = (): void => {
    for (const { child } of all) if (isRunning(child)) child.kill("SIGKILL");
  };
  process.once("exit", killAll);

  function begin(words: readonly string[], settings: Settings): Heard {
    const heard = launch(words, settings);
    all.push(heard);
    return heard;
  }

  return {
    async start(command, settings) {
      const heard = begin([command], { ...ports, ...settings });
      const station = await untilReady(heard, command).catch((error: unknown) => {
        heard.child.kill("SIGKILL");
        throw error;
      });
      stations.push(station);
      return station;
    },
    async run(words, settings, msMax = runMsMax) {
      const heard = begin(words, settings);
      const late = setTimeout(() => heard.child.kill("SIGKILL"), msMax);
      const code = await heard.ended;
      clearTimeout(late);
      const line = heard.told.trimEnd().split("\n").at(-1) ?? "";
      return { code, said: heard.said, result: line.startsWith("{") ? JSON.parse(line) : {} };
    },
    said: () => all.map(({ said }) => said).join(""),
    async close() {
      const faults: unknown[] = [];
      for (const station of stations.splice(0).reverse()) {
        await station.stop().catch((error: unknown) => faults.push(error));
      }
      killAll();
      process.off("exit", killAll);
      if (faults.length > 0) throw faults[0];
    },
  };
}

function launch(words: readonly string[], settings: Settings): Heard {
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(process.execPath, [join(root, "weir.ts"), ...words], {
    cwd: root,
    env: { PATH, HOME, ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const heard: Heard = {
    child,
    said: "",
    told: "",
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    }),
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard.told += text;
    heard.said += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    heard.said += text;
  });
  return heard;
}

async function untilReady(heard: Heard, command: string): Promise<Station> {
  const { child } = heard;
  let url: string | undefined;
  await until(`${command} is ready`, readyMsMax, async () => {
    if (!isRunning(child)) throw new Error(`${command} ended with ${child.exitCode}: ${heard.said}`);
    url ??= new RegExp(`^${command} (http\\S+)$`, "m").exec(heard.told)?.[1];
    return url !== undefined && (await isReady(url));
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${heard.said}`);
  });
  let isKilled = false;
  return {
    url: url!,
    pid: child.pid!,
    said: () => heard.said,
    async kill() {
      isKilled = true;
      child.kill("SIGKILL");
      await heard.ended;
    },
    async stop() {
      if (isKilled) return;
      if (isRunning(child)) child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      const code = await heard.ended;
      clearTimeout(force);
      if (code !== 0) throw new Error(`${command} ended with ${code ?? child.signalCode}: ${heard.said}`);
    },
  };
}

/** Whether a process says that it and what it stands on can serve. */
export async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  return answer?.ok === true;
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;
