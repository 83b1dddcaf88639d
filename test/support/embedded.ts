// The whole pipeline in one process on its embedded drivers, in a folder of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { countStoredEvents, outcomesOfBatches } from "../../aggregator/ledger/outcomes.ts";
import { type ReconcileAnswer, reconcile } from "../../aggregator/ledger/reconcile.ts";
import { startAggregator } from "../../aggregator/main.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { claimPrefix, openClaims } from "../../collector/claims/open.ts";
import { startCollector } from "../../collector/main.ts";
import type { ImportDeps } from "../../edge/command/import.ts";
import type { VerifyDeps } from "../../edge/command/load-verify.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { type RunningEdge, startEdge } from "../../edge/main.ts";
import { systemClock } from "../../shared/clock.ts";
import type { KeyRight } from "../../shared/event/write-key.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { settings } from "../../shared/settings.ts";
import { copyDatabase } from "./embedded-database.ts";

export interface Embedded {
  folder: string;
  store: Store;
  edge: RunningEdge;
  /** The questions' base URL. */
  aggregatorUrl: string;
  /** A write key of each project named at the start, with the right to send old data. */
  keyOf(project: string): string;
  importDeps(project: string): ImportDeps;
  verifyDeps(project: string): VerifyDeps;
  reconcile(): Promise<ReconcileAnswer>;
  /** Ends everything in its order and removes the folder. */
  close(): Promise<void>;
}

/** Where the parts lie; absent ones are embedded, in the folder. */
export interface Places {
  logUrl?: string;
  claimsUrl?: string;
  storeUrl?: string;
  /** A schema of a server's that is removed at the end. */
  schema?: string;
}

/** Starts store, log, claims, collector, aggregator and edge. What was begun is ended where one fails. */
export async function startEmbedded(projects: readonly string[], places: Places = {}): Promise<Embedded> {
  const folder = mkdtempSync(join(tmpdir(), "weir-embedded-"));
  const ends: (() => Promise<unknown>)[] = [async () => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return await start(folder, projects, places, ends, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  folder: string,
  projects: readonly string[],
  places: Places,
  ends: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Embedded> {
  const observed = { clock: systemClock, meter: silentMeter, logger: silentLogger };
  const config = z.object(settings).parse({
    WEIR_EDGE_PORT: "0",
    WEIR_COLLECTOR_PORT: "0",
    WEIR_AGGREGATOR_PORT: "0",
    WEIR_EDGE_SECRET: "a secret of the tests alone",
    WEIR_RATE_EVENTS_PER_SECOND: "1000000",
  });
  const topic = config.WEIR_LOG_TOPIC;
  const log = await openLog(places.logUrl ?? `sqlite:${join(folder, "log.sqlite")}`, {
    topic,
    allowWeak: true,
    replication: 1,
  });
  await log.create();
  if (places.storeUrl === undefined) await copyDatabase(join(folder, "postgres"));
  const store = await openStore(places.storeUrl ?? "embedded:", {
    schema: places.schema ?? config.WEIR_STORE_SCHEMA,
    dataDir: folder,
  });
  ends.push(() => store.close());
  const { schema } = places;
  if (schema !== undefined) ends.push(() => store.sql.unsafe(`drop schema ${schema} cascade`));
  await migrate(store);
  const reenter: RunningEdge["reenter"] = { send: (batch) => edge.reenter.send(batch) };
  const aggregator = await startAggregator({ config, store, log, reenter, ...observed });
  ends.push(() => aggregator.close());
  const producer = await log.producer();
  ends.push(() => producer.close());
  const claims = await openClaims(places.claimsUrl ?? `sqlite:${join(folder, "claims.sqlite")}`, {
    prefix: claimPrefix(producer.identity),
    clock: systemClock,
  });
  ends.push(() => claims.close());
  const collector = await startCollector({ config, producer, claims, ...observed, listen: false });
  ends.push(() => collector.close());
  const keys = fixedKeys(
    projects.map((project) => ({
      hash: hashOf(keyOf(project)),
      project,
      rights: ["historical"] satisfies KeyRight[],
    })),
  );
  const edge = await startEdge({ config, collector: collector.port, keys, ...observed });
  ends.push(() => edge.close());
  const reader = await log.reader();
  ends.push(() => reader.close());
  const outcomesOf = (batchIds: readonly Uint8Array[]) => outcomesOfBatches(store, batchIds);
  return {
    folder,
    store,
    edge,
    aggregatorUrl: aggregator.url,
    keyOf,
    importDeps: (project) => ({
      accept: edge.accept,
      project,
      outcomesOf,
      logId: producer.identity.id,
      dataDir: folder,
      clock: systemClock,
      isTerminal: false,
    }),
    verifyDeps: (project) => ({
      countStored: (lots) => countStoredEvents(store, project, lots),
      outcomesOf,
      reconcile: () => reconcile({ store, reader }),
      clock: systemClock,
    }),
    reconcile: () => reconcile({ store, reader }),
    close,
  };
}

const keyOf = (project: string): string => `wk_of_${project}`;
const hashOf = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");
