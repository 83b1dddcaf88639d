// An embedded database that is there already: copied, since making one takes longer than most tests of a file.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBinaries } from "../../aggregator/store/embedded-binaries.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";

const cache = join(import.meta.dirname, "../../node_modules/.cache/weir");
const migrations = join(import.meta.dirname, "../../sql/migrations");

/**
 * Puts a database into a folder that `embedded:` is to open, unless one is there, and says whether it did: its
 * schema `weir` is migrated and empty.
 */
export async function copyDatabase(folder: string): Promise<boolean> {
  const target = join(folder, "data");
  if (existsSync(target)) return false;
  const made = join(cache, `migrated-${findBinaries().major}-${process.getuid?.() ?? 0}-${digest()}`);
  if (!existsSync(made)) await make(made);
  mkdirSync(folder, { recursive: true });
  execFileSync("cp", ["-a", made, target]);
  return true;
}

// Of another list of migrations another database is made.
function digest(): string {
  const hash = createHash("sha256");
  for (const file of readdirSync(migrations).sort()) {
    hash.update(`${file}\n`).update(readFileSync(join(migrations, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

// Made where the tests' folders are, so that its files belong to whom theirs would. Then copied aside and renamed:
// another process may be at it, and either's is as good.
async function make(made: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "weir-database-"));
  const aside = `${made}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  try {
    const store = await openStore("embedded:", { schema: "weir", dataDir: folder });
    await migrate(store).finally(() => store.close());
    execFileSync("cp", ["-a", join(folder, "postgres", "data"), aside]);
    renameSync(aside, made);
  } catch (error) {
    if (!existsSync(made)) throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(aside, { recursive: true, force: true });
  }
}
