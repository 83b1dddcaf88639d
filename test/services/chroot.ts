// A Debian trixie root beside the clone, built once and kept: for servers this system does not package.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const release = "trixie";
const mirror = "http://deb.debian.org/debian";
const lockStaleMs = 30 * 60_000;

/** A built root, and the numbers of its accounts. */
export interface DebianRoot {
  root: string;
  account(name: string): number;
}

/**
 * The root named `name` with `packages` in it, built if it is not there; `files` are written before the
 * packages are installed. Two runs at once build it once. Needs root and debootstrap, else says so.
 */
export async function debianRoot(
  name: string,
  packages: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<DebianRoot | { missing: string }> {
  if (process.getuid?.() !== 0)
    return { missing: `${packages.join(", ")} in a Debian root: this needs root` };
  if (!hasProgram("debootstrap")) {
    return { missing: `${packages.join(", ")} in a Debian root: install debootstrap` };
  }
  const root = join(homedir(), ".cache", "weir-test", name);
  mkdirSync(dirname(root), { recursive: true });
  if (!existsSync(root)) await underLock(`${root}.lock`, () => build(root, packages, files));
  mountIfNeeded(root);
  return { root, account: (account) => accountOf(root, account) };
}

/** Runs a program of the root to its end, as an account of it. Throws with its words where it fails. */
export function runIn(root: string, account: number, words: readonly string[]): void {
  execFileSync("chroot", [`--userspec=${account}:${account}`, root, ...words], { stdio: "pipe" });
}

// Built aside and renamed: a root that is there is whole.
async function build(
  root: string,
  packages: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<void> {
  if (existsSync(root)) return;
  const aside = `${root}.new`;
  rmSync(aside, { recursive: true, force: true });
  console.warn(`building ${root} from Debian ${release} (a few minutes, once)`);
  await run("debootstrap", ["--variant=minbase", release, aside, mirror]);
  const written = { ...files, "/usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n" };
  for (const [path, text] of Object.entries(written)) {
    mkdirSync(dirname(join(aside, path)), { recursive: true });
    writeFileSync(join(aside, path), text, { mode: 0o755 });
  }
  await run("chroot", [
    ...[aside, "env", "DEBIAN_FRONTEND=noninteractive"],
    ...["apt-get", "install", "-y", "-q", "--no-install-recommends", ...packages],
  ]);
  await run("chroot", [aside, "apt-get", "clean"]);
  renameSync(aside, root);
}

function run(program: string, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    const hear = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-2_000);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${code}: ${said}`));
    });
  });
}

// A folder is made or not made, never half: whoever makes it builds, the others wait for the root.
async function underLock(lock: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
      if (Date.now() - made > lockStaleMs) rmSync(lock, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

// The mounts stay: another run may be using the root, and they cost nothing.
function mountIfNeeded(root: string): void {
  const mounted = readFileSync("/proc/mounts", "utf8");
  const mount = (type: string, at: string): void => {
    const path = join(root, at);
    if (mounted.includes(` ${path} `)) return;
    execFileSync("mount", ["-t", type, type, path], { stdio: "pipe" });
  };
  mount("proc", "proc");
  mkdirSync(join(root, "dev/shm"), { recursive: true });
  mount("tmpfs", "dev/shm");
}

function accountOf(root: string, name: string): number {
  const line = readFileSync(join(root, "etc/passwd"), "utf8")
    .split("\n")
    .find((one) => one.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`the Debian root has no account ${name}`);
  return Number(line.split(":")[2]);
}

function hasProgram(name: string): boolean {
  return ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((folder) => existsSync(join(folder, name)));
}
