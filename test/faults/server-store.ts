// The store of the fault suite: PostgreSQL of the system, or TimescaleDB's Apache edition in a root of its own.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runIn } from "../services/chroot.ts";
import { answers, findPrograms, freePort, serverSettings } from "../services/postgres.ts";
import { timescalePrograms, timescaleRoot, timescaleSettings } from "../services/timescale.ts";
import { runServer, type Server } from "./servers.ts";

export type StoreKind = "postgres" | "timescale";
export const storeKinds: readonly StoreKind[] = ["postgres", "timescale"];

export interface StoreServer extends Server {
  kind: StoreKind;
  /** A folder that the server may write to, by the suite's own path and by the server's. */
  disk: { outside: string; inside: string };
  /** Whose files they must be. */
  account: number | undefined;
}

interface Place {
  folder: string;
  /** The folder as the server sees it. */
  inside: string;
  account: number | undefined;
  /** Runs initdb to its end. */
  init(words: readonly string[]): void;
  launch(words: readonly string[]): ChildProcess;
}

const nobody = process.getuid?.() === 0 ? 65_534 : undefined;

/** Starts it on a new data folder. Rejects where it is missing. */
export async function startStore(kind: StoreKind): Promise<StoreServer> {
  const place = kind === "postgres" ? plainPlace() : await timescalePlace();
  const { folder, inside, account } = place;
  if (account !== undefined) chownSync(folder, account, account);
  const data = join(inside, "data");
  place.init(["-D", data, "-U", "weir", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"]);
  const port = await freePort();
  const words = ["-D", data, "-p", `${port}`, "-c", "unix_socket_directories=", ...serverSettings];
  const url = (at: number): string => `postgres://weir@127.0.0.1:${at}/postgres`;
  const server = await runServer({
    name: "postgres",
    port,
    folder,
    url,
    stopSignal: "SIGINT",
    launch: () => place.launch(words),
    ready: () => answers(url(port)),
  });
  const disk = { outside: join(folder, "disk"), inside: join(inside, "disk") };
  return { ...server, kind, account, disk };
}

function plainPlace(): Place {
  const programs = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-postgres-"));
  const identity = nobody === undefined ? {} : { uid: nobody, gid: nobody };
  return {
    folder,
    inside: folder,
    account: nobody,
    init: (words) => {
      execFileSync(join(programs, "initdb"), words, { cwd: folder, stdio: "pipe", ...identity });
    },
    launch: (words) =>
      spawn(join(programs, "postgres"), words, { cwd: folder, stdio: "ignore", detached: true, ...identity }),
  };
}

async function timescalePlace(): Promise<Place> {
  const found = await timescaleRoot();
  if ("missing" in found) throw new Error(found.missing);
  const { root } = found;
  const account = found.account("postgres");
  const inside = `/var/lib/weir/faults-${process.pid}`;
  const folder = join(root, inside);
  mkdirSync(folder, { recursive: true });
  const start = [`--userspec=${account}:${account}`, root, join(timescalePrograms, "postgres")];
  return {
    folder,
    inside,
    account,
    init: (words) => runIn(root, account, [join(timescalePrograms, "initdb"), ...words]),
    launch: (words) =>
      spawn("chroot", [...start, ...words, ...timescaleSettings], { stdio: "ignore", detached: true }),
  };
}
