// Other runtimes that the edge runs on, taken from npm into a cache beside the repository's own packages.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, it } from "vitest";

const run = promisify(execFile);
const nodeMajor = 24;
const denoVersion = "2.9.6";
const installMsMax = 240_000;

/** A program, or what is missing to have it. */
export type Runtime = { path: string } | { missing: string };

/**
 * A Node that runs TypeScript by itself (22.18 or later): the one that `WEIR_TEST_NODE` names, the cached
 * one, or a new one from npm's binary packages.
 */
export const findNode = (): Promise<Runtime> =>
  find("WEIR_TEST_NODE", `node-${process.platform}-${process.arch}`, String(nodeMajor), "bin/node");

/** A Deno: the one that `WEIR_TEST_DENO` names, the cached one, or a new one from npm. */
export const findDeno = (): Promise<Runtime> => {
  const libc = process.platform === "linux" ? "-glibc" : "";
  return find("WEIR_TEST_DENO", `@deno/${process.platform}-${process.arch}${libc}`, denoVersion, "deno");
};

async function find(setting: string, name: string, version: string, program: string): Promise<Runtime> {
  const named = process.env[setting];
  if (named !== undefined) return { path: named };
  const folder = join(tmpdir(), "weir-runtimes", `${name.replace("/", "-")}@${version}`);
  const path = join(folder, "node_modules", name, program);
  if (existsSync(path)) return { path };
  // Installed beside its place and moved there whole, since two suites may want it at once.
  const fresh = `${folder}.${process.pid}`;
  try {
    await mkdir(fresh, { recursive: true });
    const words = ["install", "--prefix", fresh, "--no-audit", "--no-fund", `${name}@${version}`];
    await run("npm", words, { timeout: installMsMax });
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true }));
  } catch (error) {
    return { missing: `npm could not install ${name}@${version} (${firstLine(error)})` };
  }
  return existsSync(path) ? { path } : { missing: `${name} holds no ${program}` };
}

/** `describe`, for a suite that stands on a runtime: told loudly where it is missing, failed where it is required. */
export function describeOn(runtime: Runtime, title: string, body: (path: string) => void): void {
  if (!("missing" in runtime)) {
    describe(title, () => body(runtime.path));
    return;
  }
  if (process.env["WEIR_TEST_SERVICES"] === "required") {
    it(`${title} has the runtime it needs`, () => {
      throw new Error(runtime.missing);
    });
  } else console.warn(`NOT RUN: ${title} (${runtime.missing})`);
}

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split("\n")[0]!;
