// Everything in one process on files, with a PostgreSQL elsewhere, and the faults of that one process.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../aggregator/store/open.ts";
import type { CrashPoint } from "../../shared/crash-point.ts";
import { freePort } from "../services/postgres.ts";
import { succeeded } from "../support/three-processes.ts";
import { filesBytesMax } from "./caps.ts";
import type { Fault } from "./run-fault.ts";
import type { Server } from "./servers.ts";
import { watch } from "./stations.ts";
import type { Ground, World } from "./world.ts";

const schema = "weir_faults_sqlite";
const endMsMax = 60_000;
const stoppedMs = 12_000;

export interface SqliteGround extends Ground {
  postgres: Server;
}

/** `weir serve` on a folder of its own, in the same PostgreSQL as the rest. */
export async function startSqlite(world: World): Promise<SqliteGround> {
  const folder = join(world.folder, "sqlite");
  mkdirSync(folder);
  const [edge, collector, aggregator] = [await freePort(), await freePort(), await freePort()];
  const direct = {
    WEIR_DATA_DIR: join(folder, "data"),
    WEIR_STORE_URL: world.postgres.directUrl,
    WEIR_STORE_SCHEMA: schema,
    WEIR_EDGE_SECRET: "a secret of the tests alone",
    WEIR_EDGE_PORT: `${edge}`,
    WEIR_COLLECTOR_PORT: `${collector}`,
    WEIR_AGGREGATOR_PORT: `${aggregator}`,
  };
  const { processes } = world;
  succeeded(await processes.run(["migrate", "--json"], direct));
  const store = await openStore(world.postgres.directUrl, { schema, dataDir: folder });
  const harmed = { ...direct, WEIR_STORE_URL: world.postgres.url };
  const serve = watch("serve", "serve", harmed, edge, join(folder, "serve.txt"));
  const close = async (): Promise<void> => {
    await serve.close();
    await store.close();
  };
  await serve.ready();
  const edges = [serve, serve];
  const disks = [{ name: "serve", folder: direct.WEIR_DATA_DIR, bytesMax: filesBytesMax }];
  return {
    ...{ folder, direct, edges, collectors: [], aggregators: [], disks, processes, store, close },
    ...{ postgres: world.postgres, heal: world.heal },
  };
}

// One process is all there is, so while it is away nothing can take an event.
const signalled = (signal: NodeJS.Signals): Fault<SqliteGround> => ({
  name: signal === "SIGKILL" ? "sqlite_kill" : "sqlite_sigterm",
  mayRefuse: true,
  async strike({ world, strikes, awaitRequest }) {
    const serve = world.edges[0]!;
    awaitRequest();
    strikes();
    const ended = serve.nextEnd();
    serve.signal(signal);
    const how = await ended;
    if (signal === "SIGTERM" && how !== "0") throw new Error(`serve ended with ${how} at SIGTERM`);
    await serve.ready();
  },
});

const crashed = (point: CrashPoint, times: number): Fault<SqliteGround> => {
  let ended: Promise<string>;
  return {
    name: `sqlite_${point}`,
    mayRefuse: true,
    endsItself: true,
    endsAtCommit: point === "after_commit",
    async prepare({ world, strikes, scaled }) {
      await world.edges[0]!.arm({ WEIR_TEST_CRASH_AT: `${point}:${scaled(times)}` });
      ended = world.edges[0]!.nextEnd();
      void ended.then(strikes);
    },
    async strike({ world }) {
      const how = await Promise.race([ended, Bun.sleep(endMsMax).then(() => "never")]);
      if (how !== "SIGKILL") throw new Error(`${point} was not reached: ${how}`);
      await world.edges[0]!.ready();
    },
  };
};

// The log is a file that nobody but its own disk bounds: what the store cannot take yet lies in it.
const storeAway = (word: "kill" | "stop"): Fault<SqliteGround> => ({
  name: `sqlite_postgres_${word}`,
  mayRefuse: false,
  async strike({ world, strikes }) {
    strikes();
    if (word === "kill") await world.postgres.kill();
    else world.postgres.freeze();
    await Bun.sleep(stoppedMs);
    if (word === "kill") await world.postgres.start();
    else world.postgres.thaw();
  },
});

export const sqliteFaults: readonly Fault<SqliteGround>[] = [
  signalled("SIGKILL"),
  signalled("SIGTERM"),
  crashed("after_claim", 80),
  crashed("after_publish", 80),
  crashed("before_commit", 5),
  crashed("after_commit", 5),
  storeAway("kill"),
  storeAway("stop"),
];
