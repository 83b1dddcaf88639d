// Other runtimes that the edge runs on, taken from npm into a cache beside the repository's own packages.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const nodeMajor = 24;

/** A program, or what is missing to have it. */
export type Runtime = { path: string } | { missing: string };

/**
 * A Node that runs TypeScript by itself (22.18 or later): the one that `WEIR_TEST_NODE` names, the cached
 * one, or a new one from npm's binary packages.
 */
export async function findNode(): Promise<Runtime> {
  const named = process.env["WEIR_TEST_NODE"];
  if (named !== undefined) return { path: named };
  const folder = join(tmpdir(), "weir-runtimes");
  const name = `node-${process.platform}-${process.arch}`;
  const path = join(folder, "node_modules", name, "bin", "node");
  if (!existsSync(path)) {
    try {
      await mkdir(folder, { recursive: true });
      await run("npm", ["install", "--prefix", folder, "--no-audit", "--no-fund", `${name}@${nodeMajor}`], {
        timeout: 100_000,
      });
    } catch (error) {
      return { missing: `npm could not install ${name}@${nodeMajor} (${firstLine(error)})` };
    }
  }
  return existsSync(path) ? { path } : { missing: `${name} holds no bin/node` };
}

const firstLine = (error: unknown): string =>
  String(error instanceof Error ? error.message : error).split("\n")[0]!;
