// Weir's processes under a watch that starts them again, on the same port, whenever they end.
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { isReady, type Settings } from "../support/processes.ts";
import { until } from "../support/until.ts";

export interface Watched {
  name: string;
  url: string;
  signal(signal: NodeJS.Signals): void;
  /**
   * Ends it well and starts it with `lasting` settings besides, which hold until it is armed again, and with
   * those that hold for this one start.
   */
  arm(once: Settings, lasting?: Settings): Promise<void>;
  /** Resolves at its next end, with its code or signal. */
  nextEnd(): Promise<string>;
  ready(): Promise<void>;
  /** Whether it was stopped and does not go on. */
  isStopped(): boolean;
  /** Its resident size now, nought while it is away. */
  residentBytes(): number;
  close(): Promise<void>;
}

const root = join(import.meta.dirname, "../..");
const readyMsMax = 60_000;
const saidBytesMax = 1_000;

/** Starts `weir COMMAND` and keeps it running; what it says goes to `said`. `port` is where it is asked. */
export function watch(
  name: string,
  command: string,
  settings: Settings,
  port: number,
  said: string,
): Watched {
  const output = createWriteStream(said, { flags: "a" });
  let child = launch(settings);
  let isClosing = false;
  let waiting: ((how: string) => void)[] = [];
  let next: Settings | undefined;
  let kept: Settings = {};

  function launch(own: Settings): ChildProcess {
    const { PATH = "", HOME = "" } = process.env;
    const started = spawn(process.execPath, [join(root, "weir.ts"), command], {
      cwd: root,
      env: { PATH, HOME, ...own },
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.stdout.pipe(output, { end: false });
    started.stderr.pipe(output, { end: false });
    started.once("exit", (code, signal) => {
      const told = waiting;
      waiting = [];
      for (const tell of told) tell(String(signal ?? code));
      if (isClosing) return;
      child = launch({ ...settings, ...kept, ...next });
      next = undefined;
    });
    return started;
  }
  const orphaned = (): void => void child.kill("SIGKILL");
  process.once("exit", orphaned);
  const nextEnd = (): Promise<string> => new Promise((resolve) => waiting.push(resolve));
  const url = `http://127.0.0.1:${port}`;
  const ready = (): Promise<void> =>
    until(`${name} is ready`, readyMsMax, () => isReady(url)).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(said, "utf8").slice(-saidBytesMax)}`);
    });
  return {
    name,
    url,
    signal: (signal) => void child.kill(signal),
    async arm(once, lasting = {}) {
      next = once;
      kept = lasting;
      const ended = nextEnd();
      child.kill("SIGTERM");
      await ended;
      await ready();
    },
    nextEnd,
    ready,
    isStopped: () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8")),
    residentBytes: () => residentBytes(child.pid),
    async close() {
      isClosing = true;
      if (child.exitCode === null && child.signalCode === null) {
        const ended = nextEnd();
        child.kill("SIGCONT");
        child.kill("SIGTERM");
        const force = setTimeout(() => child.kill("SIGKILL"), 20_000);
        await ended;
        clearTimeout(force);
      }
      process.off("exit", orphaned);
      output.end();
    },
  };
}

function residentBytes(pid: number | undefined): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
