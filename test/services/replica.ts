// Starts a PostgreSQL and another that follows it by streaming, from the same first state of their folders.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answers, ended, findPrograms, freePort, serverSettings } from "./postgres.ts";

export interface Pair {
  primaryUrl: string;
  replicaUrl: string;
  /** Takes one away, until it is started again. */
  stop(which: "primary" | "replica"): Promise<void>;
  start(which: "primary" | "replica"): Promise<void>;
  close(): Promise<void>;
}

const unprivileged = 65_534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: unprivileged, gid: unprivileged } : {};

export async function launchPair(): Promise<Pair> {
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "weir-replica-"));
  if (isRoot) chownSync(folder, unprivileged, unprivileged);
  const ports = { primary: await freePort(), replica: await freePort() };
  const urlOf = (which: "primary" | "replica"): string =>
    `postgres://weir@127.0.0.1:${ports[which]}/postgres`;
  const initdb = [
    "-D",
    join(folder, "primary"),
    "-U",
    "weir",
    "--auth=trust",
    "-E",
    "UTF8",
    "--locale=C",
    "-N",
  ];
  execFileSync(join(programs, "initdb"), initdb, { cwd: folder, stdio: "pipe", ...identity });
  const replica = join(folder, "replica");
  execFileSync("cp", ["-a", join(folder, "primary"), replica], { stdio: "pipe", ...identity });
  for (const [file, text] of [
    ["standby.signal", ""],
    ["postgresql.auto.conf", `primary_conninfo = 'host=127.0.0.1 port=${ports.primary} user=weir'\n`],
  ] as const) {
    writeFileSync(join(replica, file), text);
    if (isRoot) chownSync(join(replica, file), unprivileged, unprivileged);
  }
  const running = new Map<string, ChildProcess>();
  const pair: Pair = {
    primaryUrl: urlOf("primary"),
    replicaUrl: urlOf("replica"),
    async stop(which) {
      const child = running.get(which);
      running.delete(which);
      if (child !== undefined) await ended(child, "SIGINT");
    },
    async start(which) {
      const own = ["-D", join(folder, which), "-p", String(ports[which]), "-c", "unix_socket_directories="];
      // No fewer connections than initdb wrote down, or it does not follow; and quick to follow again.
      const follow = ["-c", "max_connections=100", "-c", "wal_retrieve_retry_interval=100ms"];
      const words = [...own, ...serverSettings, ...follow];
      const how = { cwd: folder, stdio: "ignore", ...identity } as const;
      running.set(which, spawn(join(programs, "postgres"), words, how));
      await answers(urlOf(which));
    },
    async close() {
      await Promise.all([pair.stop("replica"), pair.stop("primary")]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await pair.start("primary");
    await pair.start("replica");
    return pair;
  } catch (error) {
    await pair.close();
    throw error;
  }
}
