// Starts PostgreSQL 17 with TimescaleDB (Apache edition) from Debian trixie, in a folder of its own.
import { spawn } from "node:child_process";
import { chownSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DebianRoot, debianRoot, runIn } from "./chroot.ts";
import { answers, ended, freePort, serverSettings } from "./postgres.ts";
import type { Started } from "./setup.ts";

/** Where initdb and postgres lie in the root. */
export const timescalePrograms = "/usr/lib/postgresql/17/bin";
export const timescaleSettings: readonly string[] = [
  ...["-c", "shared_preload_libraries=timescaledb", "-c", "timescaledb.telemetry_level=off"],
];

/** The root that has it, or what is missing to build one. */
export const timescaleRoot = (): Promise<DebianRoot | { missing: string }> =>
  debianRoot("timescale", ["postgresql-17", "postgresql-17-timescaledb"], {
    "/etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n",
  });

/** A TimescaleDB on the loopback, or what is missing to have one. The first call builds it, in minutes. */
export async function startTimescale(): Promise<Started> {
  const found = await timescaleRoot();
  if ("missing" in found) return found;
  const { root } = found;
  const inside = `/var/lib/weir/${process.pid}`;
  const folder = join(root, inside);
  mkdirSync(folder, { recursive: true });
  const account = found.account("postgres");
  chownSync(folder, account, account);
  const data = `${inside}/data`;
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    runIn(root, account, [
      `${timescalePrograms}/initdb`,
      "-D",
      data,
      "-U",
      "weir",
      "--auth=trust",
      "-E",
      "UTF8",
      "--locale=C",
      "-N",
    ]);
    const port = await freePort();
    const child = spawn(
      "chroot",
      [
        `--userspec=${account}:${account}`,
        root,
        `${timescalePrograms}/postgres`,
        ...["-D", data, "-p", String(port), "-c", "unix_socket_directories=", ...serverSettings],
        ...timescaleSettings,
      ],
      { stdio: "ignore" },
    );
    const stop = async (): Promise<void> => {
      await ended(child, "SIGINT");
      clean();
    };
    const url = `postgres://weir@127.0.0.1:${port}/postgres`;
    await answers(url).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return { url, stop };
  } catch (error) {
    clean();
    throw error;
  }
}
