// Starts PostgreSQL 17 with TimescaleDB (Apache edition) from Debian trixie, in a folder of its own.
import { spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type DebianRoot, debianRoot, runIn } from "./chroot.ts";
import { answers, ended, freePort, serverSettings } from "./postgres.ts";
import type { Started } from "./setup.ts";

/** Where initdb and postgres lie in the root. */
export const timescalePrograms = "/usr/lib/postgresql/17/bin";
export const timescaleSettings: readonly string[] = [
  ...["-c", "shared_preload_libraries=timescaledb", "-c", "timescaledb.telemetry_level=off"],
];

/** A folder's programs inside a root, and the number of the account that runs them. */
export interface ServerPrograms {
  root: string;
  programs: string;
  account: number;
}

export interface TimescaleServer {
  url: string;
  /** Ends it, and starts it on what it had and with these settings beside its own. */
  restart(settings: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** The root that has it, or what is missing to build one. */
export const timescaleRoot = (): Promise<DebianRoot | { missing: string }> =>
  debianRoot("timescale", ["postgresql-17", "postgresql-17-timescaledb"], {
    "/etc/postgresql-common/createcluster.conf": "create_main_cluster = false\n",
  });

/** A TimescaleDB on the loopback, or what is missing to have one. The first call builds it, in minutes. */
export async function startTimescale(): Promise<Started> {
  const found = await timescaleRoot();
  if ("missing" in found) return found;
  const { root, account } = found;
  return await launchTimescale({ root, programs: timescalePrograms, account: account("postgres") });
}

/** A server of one's own on the loopback, without a password; its folder goes with it. */
export async function launchTimescale(
  { root, programs, account }: ServerPrograms,
  settings: readonly string[] = [],
): Promise<TimescaleServer> {
  const folder = mkdtempSync(join(root, "tmp", "weir-timescale-"));
  chownSync(folder, account, account);
  const data = `/${folder.slice(root.length).replace(/^\//, "")}/data`;
  const clean = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const initdb = ["-D", data, "-U", "weir", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"];
    runIn(root, account, [`${programs}/initdb`, ...initdb]);
    const port = await freePort();
    const url = `postgres://weir@127.0.0.1:${port}/postgres`;
    const place = ["-D", data, "-p", String(port), "-c", "unix_socket_directories="];
    const launch = (more: readonly string[]) =>
      spawn(
        "chroot",
        [
          ...[`--userspec=${account}:${account}`, root, `${programs}/postgres`, ...place],
          ...[...serverSettings, ...timescaleSettings, ...more],
        ],
        { stdio: "ignore" },
      );
    let child = launch(settings);
    const stop = async (): Promise<void> => {
      await ended(child, "SIGINT");
      clean();
    };
    await answers(url).catch(async (error: unknown) => {
      await stop();
      throw error;
    });
    return {
      url,
      async restart(more) {
        await ended(child, "SIGINT");
        child = launch(more);
        await answers(url);
      },
      stop,
    };
  } catch (error) {
    clean();
    throw error;
  }
}
