// Redis, Kafka and the store of the fault suite: each behind a proxy, each to be hung, killed and restarted.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../services/postgres.ts";
import { until } from "../support/until.ts";
import { type Passage, startProxy } from "./proxy.ts";

export interface Server {
  name: string;
  proxy: Passage;
  /** Through the proxy, for Weir; and past it, for the suite's own looks. */
  url: string;
  directUrl: string;
  /** What it keeps, and what it says. */
  folder: string;
  /** All its processes stand still, and go on. */
  freeze(): void;
  thaw(): void;
  /** As kill -9 on all of it; resolves when it is gone. */
  kill(): Promise<void>;
  /** As an operator ends it. */
  stop(): Promise<void>;
  /** Starts it on what it had; resolves when it serves. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface Program {
  name: string;
  port: number;
  url(port: number): string;
  stopSignal: NodeJS.Signals;
  launch(): ChildProcess;
  ready(): Promise<void>;
  folder: string;
}

const startMsMax = 90_000;
const goneMsMax = 30_000;

/** Runs a program behind `given`, or a proxy of its own. */
export async function runServer(program: Program, given?: Passage): Promise<Server> {
  const proxy = given ?? (await startProxy(program.port));
  let child = program.launch();
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const all = (signal: NodeJS.Signals): void => {
    if (!isOver()) for (const pid of family(child.pid!)) signalIfThere(pid, signal);
  };
  const ended = async (act: () => void): Promise<void> => {
    if (isOver()) return;
    const members = family(child.pid!);
    const end = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    act();
    const force = setTimeout(() => all("SIGKILL"), goneMsMax);
    await end;
    clearTimeout(force);
    // What is to start again must find nobody on its memory and its files.
    const isGone = (): boolean => members.every((pid) => /^[ZX]?$/.test(statOf(pid).state));
    await until(`${program.name} is gone`, goneMsMax, isGone);
  };
  // Nothing outlives the suite, however it ends.
  const orphaned = (): void => all("SIGKILL");
  process.once("exit", orphaned);
  await program.ready();
  return {
    name: program.name,
    proxy,
    url: program.url(proxy.port),
    directUrl: program.url(program.port),
    folder: program.folder,
    freeze: () => all("SIGSTOP"),
    thaw: () => all("SIGCONT"),
    kill: () => ended(() => all("SIGKILL")),
    stop: () => ended(() => void child.kill(program.stopSignal)),
    async start() {
      child = program.launch();
      await program.ready();
    },
    async close() {
      all("SIGCONT");
      await ended(() => all("SIGKILL"));
      process.off("exit", orphaned);
      await proxy.close();
      rmSync(program.folder, { recursive: true, force: true });
    },
  };
}

/** A process and those it started, parents first: PostgreSQL's are each a group of their own. */
function family(pid: number): number[] {
  const childrenOf = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const { parent } = statOf(Number(name));
    childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), Number(name)]);
  }
  const members = [pid];
  for (const member of members) members.push(...(childrenOf.get(member) ?? []));
  return members;
}

/** Empty where there is no such process; Z where nobody has asked for its end yet. */
function statOf(pid: number): { state: string; parent: number } {
  try {
    // The name in brackets may hold anything; the state and the parent follow the last bracket.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "");
    const [state = "", parent] = text.split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return { state: "", parent: 0 };
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ESRCH") throw error;
  }
}

export async function startRedis(): Promise<Server> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-redis-"));
  const words = [
    "--bind",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
  ];
  return await runServer({
    name: "redis",
    port,
    folder,
    url: (at) => `redis://127.0.0.1:${at}`,
    stopSignal: "SIGTERM",
    launch: () => spawn("redis-server", words, { cwd: folder, stdio: "ignore", detached: true }),
    ready: () => listens(port),
  });
}

/** Resolves when something takes connections there. */
export const listens = (port: number): Promise<void> =>
  until(
    `port ${port} takes connections`,
    startMsMax,
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", () => resolve(false));
      }),
  );
