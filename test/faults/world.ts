// One running set of everything: the servers behind their proxies, two of each process, and a way to look.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { freePort } from "../services/postgres.ts";
import { openProcesses, type Processes, type Settings } from "../support/processes.ts";
import { succeeded } from "../support/three-processes.ts";
import { type Server, startServers } from "./servers.ts";
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
  processes: Processes;
  /** The suite's own way into the schema. */
  store: Store;
  close(): Promise<void>;
}

export interface World extends Ground {
  redis: Server;
  kafka: Server;
  postgres: Server;
}

const topic = "weir.faults.events";
const schema = "weir_faults";

export async function startWorld(say: (text: string) => void): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-"));
  const processes = openProcesses();
  const { redis, kafka, postgres } = await startServers();
  say("Redis, Kafka and PostgreSQL run");
  const shared = {
    WEIR_LOG_TOPIC: topic,
    WEIR_LOG_PARTITIONS: "6",
    WEIR_LOG_ALLOW_WEAK: "1",
    WEIR_STORE_SCHEMA: schema,
    WEIR_EDGE_SECRET: "a secret of the tests alone",
  };
  const dataDir = (name: string): Settings => ({ WEIR_DATA_DIR: join(folder, name) });
  const urls = { WEIR_LOG_URL: kafka.url, WEIR_CLAIMS_URL: redis.url, WEIR_STORE_URL: postgres.url };
  const direct = {
    ...shared,
    ...dataDir("commands"),
    WEIR_LOG_URL: kafka.directUrl,
    WEIR_CLAIMS_URL: redis.directUrl,
    WEIR_STORE_URL: postgres.directUrl,
  };
  succeeded(await processes.run(["migrate", "--json"], direct));
  const store = await openStore(postgres.directUrl, { schema, dataDir: folder });
  const all: Watched[] = [];
  const start = async (command: string, index: number, more: Settings): Promise<Watched> => {
    const port = await freePort();
    const name = `${command}-${index + 1}`;
    const where = { [`WEIR_${command.toUpperCase()}_PORT`]: `${port}` };
    const settings = { ...shared, ...urls, ...dataDir(name), ...where, ...more };
    const watched = watch(name, command, settings, port, join(folder, `${name}.txt`));
    all.push(watched);
    return watched;
  };
  const both = (command: string, more: (index: number) => Settings): Promise<Watched[]> =>
    Promise.all([0, 1].map((index) => start(command, index, more(index))));
  const close = async (): Promise<void> => {
    for (const server of [redis, kafka, postgres]) server.thaw();
    await Promise.all(all.map((watched) => watched.close()));
    await processes.close();
    await store.close();
    await Promise.all([redis.close(), kafka.close(), postgres.close()]);
    rmSync(folder, { recursive: true, force: true });
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
    say("two edges, two collectors and two aggregators run");
    return {
      folder,
      direct,
      redis,
      kafka,
      postgres,
      edges,
      collectors,
      aggregators,
      processes,
      store,
      close,
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}
