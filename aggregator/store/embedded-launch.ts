// How PostgreSQL's programs are run here: under which account, in which folder, with which words before.
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import type { Binaries } from "./embedded-binaries.ts";

/** nobody and nogroup: PostgreSQL refuses to run as root. */
const unprivileged = 65_534;

export interface Launch {
  binaries: Binaries;
  folder: string;
  /** The account that owns the files, where this process is root and may choose. */
  account: number | undefined;
  /** Words before a program: another user namespace, where the account could not reach the folder. */
  prefix: readonly string[];
}

/** Not root: as ourselves. Root: as nobody; in a closed home folder as nobody of a namespace of its own. */
export function launchFor(binaries: Binaries, folder: string): Launch {
  if (process.getuid?.() !== 0) return { binaries, folder, account: undefined, prefix: [] };
  if (isReachable(folder) && isReachable(binaries.root)) {
    chownSync(folder, unprivileged, unprivileged);
    return { binaries, folder, account: unprivileged, prefix: [] };
  }
  const prefix = ["unshare", "--user", `--map-user=${unprivileged}`, `--map-group=${unprivileged}`];
  return { binaries, folder, account: undefined, prefix };
}

/** Starts a program in a session of its own, so that a Ctrl-C at the terminal reaches only us. */
export function start(launch: Launch, words: readonly string[]): ChildProcess {
  const [program, ...rest] = [...launch.prefix, ...words] as [string, ...string[]];
  const log = openSync(join(launch.folder, "server.log"), "w", 0o600);
  const identity = launch.account === undefined ? {} : { uid: launch.account, gid: launch.account };
  try {
    return spawn(program, rest, {
      cwd: launch.folder,
      detached: true,
      stdio: ["ignore", log, log],
      env: { LC_ALL: "C", PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
      ...identity,
    });
  } finally {
    closeSync(log);
  }
}

/** Runs a program to its end; rejects with the last words it wrote where it fails. */
export function run(launch: Launch, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = start(launch, words);
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === 0) return resolve();
      const said = readFileSync(join(launch.folder, "server.log"), "utf8").slice(-500);
      reject(new Error(`it ended with ${code}: ${said}`));
    });
  });
}

/** Writes a file that only the account of the programs reads. */
export function writePrivately(launch: Launch, path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  if (launch.account !== undefined) chownSync(path, launch.account, launch.account);
}

/** Whether a process of this id is PostgreSQL; where the system does not tell, whether there is one. */
export function isAlive(pid: number): boolean {
  if (process.platform === "linux") {
    try {
      return (
        /^(postgres|postmaster)$/.test(readFileSync(`/proc/${pid}/comm`, "utf8").trim()) && !isDefunct(pid)
      );
    } catch {
      return false;
    }
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A port of the loopback that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

// A process that has ended and was not waited for still has an entry; `Z` stands after its name.
export const isDefunct = (pid: number): boolean => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

// Every folder on the way must let strangers through.
function isReachable(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (at !== path && (statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
