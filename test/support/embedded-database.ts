// An embedded database that is there already: copied, since making one takes longer than most tests of a file.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinaries } from "../../aggregator/store/embedded-binaries.ts";
import { openStore } from "../../aggregator/store/open.ts";

const cache = join(import.meta.dirname, "../../node_modules/.cache/weir");

/** Puts an empty database into a folder that `embedded:` is to open, unless one is there. */
export async function copyDatabase(folder: string): Promise<void> {
  const target = join(folder, "data");
  if (existsSync(target)) return;
  const made = join(cache, `embedded-${findBinaries().major}-${process.getuid?.() ?? 0}`);
  if (!existsSync(made)) await make(made);
  mkdirSync(folder, { recursive: true });
  execFileSync("cp", ["-a", made, target]);
}

// Made where the tests' folders are, so that its files belong to whom theirs would. Then copied aside and renamed:
// another process may be at it, and either's is as good.
async function make(made: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "weir-database-"));
  const aside = `${made}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  try {
    await (await openStore("embedded:", { schema: "weir", dataDir: folder })).close();
    execFileSync("cp", ["-a", join(folder, "postgres", "data"), aside]);
    renameSync(aside, made);
  } catch (error) {
    if (!existsSync(made)) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(aside, { recursive: true, force: true });
  }
}
