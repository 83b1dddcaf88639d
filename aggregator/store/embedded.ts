// The embedded: driver: a real PostgreSQL from npm, started by this process in a folder of its own.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import { retry } from "../../shared/retry.ts";
import { type Address, connect } from "./connect.ts";
import { findBinaries } from "./embedded-binaries.ts";
import { type Launch, launchFor } from "./embedded-launch.ts";
import { initialise, readPostmaster, startServer, stopServer } from "./embedded-server.ts";
import { enterAsUser } from "./embedded-users.ts";
import { isAway } from "./errors.ts";
import { type Store, StoreError, type StoreOptions } from "./store.ts";

const user = "weir";
const database = "postgres";
/** After a crash the server replays its log before it takes sessions: 57P03 until then. */
const recovery = { attemptsMax: 120, baseMs: 20, waitMsMax: 500 };
/** Two processes may start on one folder at once; the later finds the first one's server. */
const startsMax = 3;

/**
 * Opens the database in `folder`, making it at the first time. A server that runs there is joined, also
 * one whose starter was killed; whoever closes last stops it.
 */
export async function embeddedStore(folder: string, options: StoreOptions): Promise<Store> {
  const binaries = findBinaries();
  mkdirSync(folder, { recursive: true });
  const launch = launchFor(binaries, folder);
  const data = join(folder, "data");
  await initialise(launch, data, user, randomBytes(24).toString("base64url"));
  const password = readFileSync(join(data, "weir-password"), "utf8");
  const leave = enterAsUser(folder);
  const stop = async (): Promise<void> => {
    if (leave()) await stopServer(data);
  };
  // The server found may be ending, since its last user left a moment ago: then it is started anew.
  const open = async (): Promise<Store> => {
    const port = await serve(launch, data);
    const address: Address = { label: "embedded:", host: "127.0.0.1", port, database, user, password };
    return await connect(address, options.schema, stop);
  };
  try {
    return await retry(recovery, systemClock, open, (error) => isAway((error as Error).cause));
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serve(launch: Launch, data: string): Promise<number> {
  let fault: unknown;
  for (let start = 1; start <= startsMax; start += 1) {
    const running = readPostmaster(data);
    if (running !== undefined) return running.port;
    try {
      return await startServer(launch, data);
    } catch (error) {
      fault = error;
    }
  }
  throw new StoreError("store_start_failed", `PostgreSQL in ${data} does not start: ${String(fault)}`, {
    cause: fault,
  });
}
