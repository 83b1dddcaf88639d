// One PostgreSQL server in a folder: made, started, found again, stopped.
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { freePort, isAlive, type Launch, run, start, writePrivately } from "./embedded-launch.ts";
import { StoreError } from "./store.ts";

const stopMsMax = 20_000;
const startMsMax = 30_000;
const pollMs = 10;
/** Runs initdb where there is no database yet; made aside and renamed, so that a half-made one is never used. */
export async function initialise(
  launch: Launch,
  data: string,
  user: string,
  password: string,
): Promise<void> {
  if (existsSync(join(data, "PG_VERSION"))) {
    const found = Number.parseInt(readFileSync(join(data, "PG_VERSION"), "utf8"), 10);
    if (found === launch.binaries.major) return;
    throw new StoreError(
      "store_version_unsupported",
      `The database in ${data} is of PostgreSQL ${found}, the programs are of ${launch.binaries.major}.`,
    );
  }
  const aside = `${data}.${process.pid}.new`;
  const secret = `${aside}.password`;
  rmSync(aside, { recursive: true, force: true });
  writePrivately(launch, secret, password);
  const { initdb } = launch.binaries;
  const words = ["-D", aside, "-U", user, `--pwfile=${secret}`, "--auth=scram-sha-256", "--encoding=UTF8"];
  try {
    await run(launch, [
      initdb,
      ...words,
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
    ]);
    renameSync(secret, join(aside, "weir-password"));
    renameSync(aside, data);
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true });
    // Another process on this folder was quicker: its database is as good.
    if (existsSync(join(data, "PG_VERSION"))) return;
    throw new StoreError("store_start_failed", `initdb in ${data} failed: ${String(cause)}`, { cause });
  } finally {
    rmSync(secret, { force: true });
  }
}

/** The server that runs on `data`, or undefined; a file left by one that is gone counts for nothing. */
export function readPostmaster(data: string): { pid: number; port: number; ready: boolean } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return undefined;
  }
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  if (!(pid > 0) || !(port > 0) || !isAlive(pid)) return undefined;
  return { pid, port, ready: lines[7]?.trim() === "ready" };
}

/** Starts a server on a free loopback port, waits until it takes sessions, and answers the port. */
export async function startServer(launch: Launch, data: string): Promise<number> {
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "60",
    shared_buffers: "128MB",
    max_wal_size: "2GB",
    checkpoint_timeout: "15min",
    wal_compression: "on",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    // A duplicate is no error to us: only what the server says of itself is worth a line.
    log_min_messages: "log",
    log_checkpoints: "off",
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = start(launch, [launch.binaries.postgres, "-D", data, ...words]);
  let ended = false;
  child.once("exit", () => {
    ended = true;
  });
  child.once("error", () => {
    ended = true;
  });
  const until = Date.now() + startMsMax;
  for (;;) {
    const found = readPostmaster(data);
    if (found?.port === port && found.ready) {
      child.unref();
      return port;
    }
    if (ended || Date.now() > until) {
      throw new Error(`the server ended or was not ready; see ${join(launch.folder, "server.log")}`);
    }
    await pause();
  }
}

/**
 * Stops the server on `data`, if one runs. SIGINT is PostgreSQL's fast shutdown: sessions are ended,
 * nothing is lost. SIGQUIT is its last resort.
 */
export async function stopServer(data: string): Promise<void> {
  const pid = readPostmaster(data)?.pid;
  if (pid === undefined) return;
  const until = Date.now() + stopMsMax;
  if (isAlive(pid)) process.kill(pid, "SIGINT");
  while (isAlive(pid) && Date.now() < until) await pause();
  if (isAlive(pid)) process.kill(pid, "SIGQUIT");
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pollMs));
