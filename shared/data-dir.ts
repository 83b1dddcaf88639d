// The data folder of embedded mode: where its files lie, its secrets, and whether it is in use.
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";

/** Made once per folder, kept in a file only its owner reads. */
export interface LocalSecrets {
  edgeSecret: string;
  writeKey: string;
  project: string;
}

/** A process tree that serves this folder now. */
export interface Running {
  pid: number;
  edgeUrl: string;
  collectorUrl: string;
  aggregatorUrl: string;
}

export interface DataDir {
  path: string;
  logUrl: string;
  claimsUrl: string;
  storeUrl: string;
  /** The folder's secrets, made at the first call. */
  secrets(): LocalSecrets;
  /** Who serves the folder, or undefined; a process that died without a word is passed over. */
  running(): Running | undefined;
  announce(running: Running): void;
  withdraw(): void;
}

/** Opens the folder, making it where it is missing. Throws where it cannot be written. */
export function openDataDir(folder: string): DataDir {
  const path = resolve(folder);
  mkdirSync(path, { recursive: true });
  const secretsFile = join(path, "secrets.json");
  const runningFile = join(path, "running.json");
  return {
    path,
    logUrl: `sqlite:${join(path, "log.sqlite")}`,
    claimsUrl: `sqlite:${join(path, "claims.sqlite")}`,
    storeUrl: `embedded:${join(path, "postgres")}`,
    secrets() {
      if (!existsSync(secretsFile)) keepFirst(secretsFile, JSON.stringify(makeSecrets()));
      return JSON.parse(readFileSync(secretsFile, "utf8")) as LocalSecrets;
    },
    running() {
      if (!existsSync(runningFile)) return undefined;
      const running = JSON.parse(readFileSync(runningFile, "utf8")) as Running;
      return isAlive(running.pid) ? running : undefined;
    },
    announce: (running) => writePrivately(runningFile, JSON.stringify(running)),
    withdraw: () => rmSync(runningFile, { force: true }),
  };
}

function makeSecrets(): LocalSecrets {
  return {
    edgeSecret: randomBytes(32).toString("hex"),
    writeKey: `wk_${randomBytes(18).toString("base64url")}`,
    project: "default",
  };
}

// Two first starts may race: whose link is made first wins, and both read the same file afterwards.
function keepFirst(path: string, text: string): void {
  const aside = `${path}.${process.pid}.first`;
  writePrivately(aside, text);
  try {
    linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

// Written aside and renamed, so that a reader finds the old file or the new one, never a part.
function writePrivately(path: string, text: string): void {
  const aside = `${path}.${process.pid}.new`;
  writeFileSync(aside, text, { mode: 0o600 });
  chmodSync(aside, 0o600);
  renameSync(aside, path);
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
