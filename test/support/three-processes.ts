// The three processes on services that run already, with a topic and a schema that no other suite has.
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { type Ended, openProcesses, type Processes, type Settings, type Station } from "./processes.ts";

export interface Services {
  log: string;
  claims: string;
  store: string;
}

export interface ThreeProcesses {
  processes: Processes;
  /** What they were all started with, and every command needs. */
  settings: Settings;
  folder: string;
  edge: Station;
  collector: Station;
  aggregator: Station;
  /** A way into the schema beside the aggregator's. */
  store: Store;
  /** Another edge with a collector and an aggregator of its own, on the same services. */
  another(): Promise<Station>;
  /** The write key of a project named at the start, with the right to send old data. */
  keyOf(project: string): string;
  /** `weir load` to an edge; its account is then at `account(name)`. */
  load(name: string, key: string, words: readonly string[], edge?: Station): Promise<Ended>;
  account(name: string): string;
  /** Lines of a load's account so far that tell of a request acknowledged. */
  acked(name: string): number;
  weir(...words: string[]): Promise<Ended>;
  post(path: string, key: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

/** Migrates, makes a key for each project, and starts them. What began is ended where one fails. */
export async function startThreeProcesses(
  services: Services,
  projects: readonly string[],
): Promise<ThreeProcesses> {
  const folder = mkdtempSync(join(tmpdir(), "weir-three-"));
  const processes = openProcesses();
  let store: Store | undefined;
  const close = async (): Promise<void> => {
    try {
      await processes.close();
    } finally {
      await store?.sql.unsafe(`drop schema if exists ${store.schema} cascade`);
      await store?.close();
      rmSync(folder, { recursive: true, force: true });
    }
  };
  const settings = settingsOf(services, folder);
  const weir = (...words: string[]): Promise<Ended> => processes.run(words, settings);
  const startOne = async (): Promise<[Station, Station, Station]> => {
    const aggregator = await processes.start("aggregator", settings);
    const collector = await processes.start("collector", settings);
    const hops = { WEIR_COLLECTOR_URL: collector.url, WEIR_KEYS_URL: aggregator.url };
    return [await processes.start("edge", { ...settings, ...hops }), collector, aggregator];
  };
  try {
    succeeded(await weir("migrate", "--json"));
    store = await openStore(services.store, {
      schema: settings["WEIR_STORE_SCHEMA"]!,
      dataDir: folder,
    });
    const keys = new Map<string, string>();
    for (const project of projects) {
      const made = await weir("keys", "create", "--historical", "--project", project, "--json");
      keys.set(project, String(succeeded(made).result["key"]));
    }
    const [edge, collector, aggregator] = await startOne();
    const account = (name: string): string => join(folder, `${name}.load`);
    return {
      ...{ processes, settings, folder, edge, collector, aggregator, store, account, weir, close },
      another: async () => (await startOne())[0],
      keyOf: (project) => keys.get(project)!,
      load(name, key, words, to = edge) {
        const where = ["--url", to.url, "--key", key, "--log", account(name), "--json"];
        return weir("load", ...where, ...words);
      },
      acked: (name) =>
        existsSync(account(name)) ? readFileSync(account(name), "utf8").split('{"acked":').length - 1 : 0,
      post: (path, key, body, headers = {}) =>
        fetch(new URL(path, edge.url), {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        }),
    };
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

/** The same command's end, where it was a good one. */
export function succeeded(ended: Ended): Ended {
  if (ended.code !== 0) throw new Error(`it ended with ${ended.code}: ${ended.said}`);
  return ended;
}

function settingsOf(services: Services, folder: string): Settings {
  const name = `weir_${randomBytes(4).toString("hex")}`;
  return {
    WEIR_LOG_URL: services.log,
    WEIR_LOG_TOPIC: `${name}.events`,
    WEIR_LOG_PARTITIONS: "6",
    WEIR_LOG_ALLOW_WEAK: "1",
    WEIR_CLAIMS_URL: services.claims,
    WEIR_STORE_URL: services.store,
    WEIR_STORE_SCHEMA: name,
    WEIR_EDGE_SECRET: "a secret of the tests alone",
    WEIR_DATA_DIR: join(folder, "data"),
  };
}
