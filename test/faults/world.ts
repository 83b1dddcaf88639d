// One running set of everything: the servers behind their proxies, two of each process, and a way to look.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { freePort } from "../services/postgres.ts";
import { openProcesses, type Processes, type Settings } from "../support/processes.ts";
import { succeeded } from "../support/three-processes.ts";
import { type Disk, smallBytesMax, spoolBytesMax } from "./caps.ts";
import { startKafka } from "./server-kafka.ts";
import { type StoreKind, type StoreServer, startStore } from "./server-store.ts";
import { type Server, startRedis } from "./servers.ts";
import { type Watched, watch } from "./stations.ts";

/** What every fault needs, whatever it harms. */
export interface Ground {
  folder: string;
  /** The settings of commands, which go to the servers directly. */
  direct: Settings;
  /** Where the two loads go. */
  edges: readonly Watched[];
  collectors: readonly Watched[];
  aggregators: readonly Watched[];
  /** What our processes write to. */
  disks: readonly Disk[];
  processes: Processes;
  /** The suite's own way into the schema. */
  store: Store;
  /** Ends what a fault left harmed. */
  heal(): void;
  close(): Promise<void>;
}

export interface World extends Ground {
  redis: Server;
  kafka: Server;
  postgres: StoreServer;
}

/** What two of each process stand on, as settings, and the schema that is theirs. */
interface Footing {
  folder: string;
  schema: string;
  processes: Processes;
  postgres: StoreServer;
  /** For processes and commands alike. */
  shared: Settings;
  /** For the processes alone: the ways that may be harmed. */
  urls: Settings;
}

export async function startWorld(kind: StoreKind, say: (text: string) => void): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-"));
  const processes = openProcesses();
  const [redis, kafka, postgres] = await Promise.all([startRedis(), startKafka(), startStore(kind)]);
  const servers = [redis, kafka, postgres];
  say(`Redis, Kafka and ${kind === "postgres" ? "PostgreSQL" : "TimescaleDB"} run`);
  const end = async (): Promise<void> => {
    await processes.close();
    await Promise.all(servers.map((server) => server.close()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const ground = await startSix({
      ...{ folder, schema: "weir_faults", processes, postgres },
      shared: {
        WEIR_LOG_URL: kafka.directUrl,
        WEIR_LOG_TOPIC: "weir.faults.events",
        WEIR_LOG_ALLOW_WEAK: "1",
        WEIR_CLAIMS_URL: redis.directUrl,
      },
      urls: { WEIR_LOG_URL: kafka.url, WEIR_CLAIMS_URL: redis.url },
    });
    say("two edges, two collectors and two aggregators run");
    const heal = (): void => {
      for (const server of servers) {
        server.thaw();
        server.proxy.heal();
      }
    };
    const close = async (): Promise<void> => {
      heal();
      await ground.close();
      await end();
    };
    return { ...ground, redis, kafka, postgres, heal, close };
  } catch (error) {
    await end().catch(() => {});
    throw error;
  }
}

/** Two edges, two collectors and two aggregators on a schema that is made here; they are ended by `close`. */
export async function startSix(footing: Footing): Promise<Ground> {
  const { folder, schema, processes, postgres } = footing;
  const dataDir = (name: string): Settings => ({ WEIR_DATA_DIR: join(folder, name) });
  const shared = {
    ...footing.shared,
    WEIR_LOG_PARTITIONS: "6",
    WEIR_STORE_URL: postgres.directUrl,
    WEIR_STORE_SCHEMA: schema,
    WEIR_EDGE_SECRET: "a secret of the tests alone",
  };
  const direct = { ...shared, ...dataDir("commands") };
  succeeded(await processes.run(["migrate", "--json"], direct));
  const store = await openStore(postgres.directUrl, { schema, dataDir: folder });
  const all: Watched[] = [];
  const start = async (command: string, index: number, more: Settings): Promise<Watched> => {
    const port = await freePort();
    const name = `${command}-${index + 1}`;
    const urls = { ...footing.urls, WEIR_STORE_URL: postgres.url };
    const where = { [`WEIR_${command.toUpperCase()}_PORT`]: `${port}` };
    const settings = { ...shared, ...urls, ...dataDir(name), ...where, ...more };
    const watched = watch(name, command, settings, port, join(folder, `${name}.txt`));
    all.push(watched);
    return watched;
  };
  const both = (command: string, more: (index: number) => Settings): Promise<Watched[]> =>
    Promise.all([0, 1].map((index) => start(command, index, more(index))));
  const close = async (): Promise<void> => {
    await Promise.all(all.map((watched) => watched.close()));
    await store.close();
  };
  try {
    const aggregators = await both("aggregator", () => ({}));
    const collectors = await both("collector", (index) => ({
      WEIR_COLLECTOR_NAME: `collector-${index + 1}`,
    }));
    await Promise.all([...aggregators, ...collectors].map((watched) => watched.ready()));
    const edges = await both("edge", (index) => ({
      WEIR_EDGE_NAME: `edge-${index + 1}`,
      WEIR_COLLECTOR_URL: collectors[index]!.url,
      WEIR_KEYS_URL: aggregators[index]!.url,
    }));
    await Promise.all(edges.map((watched) => watched.ready()));
    const disks = [
      ...all.map(({ name }) => ({ name, folder: join(folder, name), bytesMax: () => smallBytesMax })),
      ...collectors.map((_, index) => ({
        name: `spool-${index + 1}`,
        folder: spoolFolder({ folder }, index),
        bytesMax: () => spoolBytesMax,
      })),
    ];
    return {
      ...{ folder, direct, edges, collectors, aggregators, disks, processes, store, close },
      heal() {},
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

/** Where a collector's spool lies in the faults that give it one. */
export const spoolFolder = ({ folder }: { folder: string }, index: number): string =>
  join(folder, `spool-${index + 1}`);
