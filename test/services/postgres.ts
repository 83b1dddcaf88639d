// Starts a plain PostgreSQL for the suites: the system's own where there is one, else the one from npm.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { findBinaries } from "../../aggregator/store/embedded-binaries.ts";
import { makeCertificates } from "./certificates.ts";
import type { Started } from "./setup.ts";

const unprivileged = 65_534;
export const serverSettings: readonly string[] = [
  "-c",
  "listen_addresses=127.0.0.1",
  "-c",
  "max_connections=60",
  "-c",
  "shared_buffers=128MB",
  "-c",
  "max_wal_size=2GB",
];

/** Where initdb and postgres are; throws where neither the system nor npm has them. */
export function findPrograms(): string {
  const system = "/usr/lib/postgresql";
  const versions = existsSync(system) ? readdirSync(system).filter((name) => /^\d+$/.test(name)) : [];
  const usable = versions
    .map((name) => join(system, name, "bin"))
    .filter((folder) => existsSync(join(folder, "postgres")))
    .sort();
  return usable.at(-1) ?? join(findBinaries().root, "bin");
}

/** A server of one's own, to be broken off and started again at will. */
export interface RunningPostgres {
  url: string;
  /** Breaks every session off without a checkpoint, so that the next start has to recover. */
  crash(): Promise<void>;
  /** Starts it on what it had, and resolves when it takes sessions. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A plain PostgreSQL on the loopback, without a password. */
export async function startPostgres(): Promise<Started> {
  return await launchPostgres();
}

/** The same, for a suite that takes it away. */
export async function launchPostgres(): Promise<RunningPostgres> {
  const { port, ...server } = await startServer("trust", async () => []);
  return { url: `postgres://weir@127.0.0.1:${port}/postgres`, ...server };
}

/** The same with TLS and a password; `url` names no sslmode and holds the password. */
export async function startPostgresTls(): Promise<{ url: string; caPem: string; stop(): Promise<void> }> {
  let caPem = "";
  const server = await startServer("scram-sha-256", async (folder) => {
    const made = await makeCertificates(folder, ["localhost", "127.0.0.1"]);
    caPem = made.caPem;
    for (const file of [made.certFile, made.keyFile]) own(file);
    const addresses = process.platform === "linux" ? "127.0.0.1,127.0.0.2" : "127.0.0.1";
    return [
      "-c",
      `listen_addresses=${addresses}`,
      "-c",
      "ssl=on",
      "-c",
      `ssl_cert_file=${made.certFile}`,
      "-c",
      `ssl_key_file=${made.keyFile}`,
    ];
  });
  return {
    url: `postgres://weir:secret-of-the-test@127.0.0.1:${server.port}/postgres`,
    caPem,
    stop: server.stop,
  };
}

async function startServer(
  auth: string,
  extra: (folder: string) => Promise<string[]>,
): Promise<Omit<RunningPostgres, "url"> & { port: number }> {
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "weir-postgres-"));
  own(folder);
  const data = join(folder, "data");
  const secret = join(folder, "password");
  writeFileSync(secret, "secret-of-the-test\n");
  own(secret);
  const words = [
    "-D",
    data,
    "-U",
    "weir",
    `--pwfile=${secret}`,
    `--auth=${auth}`,
    "-E",
    "UTF8",
    "--locale=C",
    "-N",
  ];
  execFileSync(join(programs, "initdb"), words, { cwd: folder, stdio: "pipe", ...identity() });
  const settings = [...serverSettings, ...(await extra(folder))];
  const port = await freePort();
  const launch = (): ChildProcess =>
    spawn(
      join(programs, "postgres"),
      ["-D", data, "-p", String(port), "-c", "unix_socket_directories=", ...settings],
      { cwd: folder, stdio: "ignore", ...identity() },
    );
  const password = auth === "trust" ? "" : ":secret-of-the-test";
  const url = `postgres://weir${password}@127.0.0.1:${port}/postgres`;
  const tls = auth === "trust" ? false : "require";
  let child = launch();
  const stop = async (): Promise<void> => {
    await ended(child, "SIGINT");
    rmSync(folder, { recursive: true, force: true });
  };
  await answers(url, tls).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    port,
    crash: () => ended(child, "SIGQUIT"),
    async restart() {
      child = launch();
      await answers(url, tls);
    },
    stop,
  };
}

/** Waits until a server takes a session; rejects after 30 s. */
export async function answers(url: string, ssl: "require" | false = false): Promise<void> {
  const until = Date.now() + 30_000;
  for (;;) {
    const sql = postgres(url, { max: 1, ssl, connect_timeout: 5, onnotice: () => {} });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

/** Signals a child and waits for its end, after 10 s by force. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const force = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await end;
  clearTimeout(force);
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

const isRoot = (): boolean => process.getuid?.() === 0;
const identity = (): { uid?: number; gid?: number } =>
  isRoot() ? { uid: unprivileged, gid: unprivileged } : {};
const own = (path: string): void => {
  if (isRoot()) chownSync(path, unprivileged, unprivileged);
};
