// An edge as a process or as a part of one: configuration to a listening server.
import { systemClock } from "../shared/clock.ts";
import type { KeySource } from "../shared/event/write-key.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import type { Reenter } from "../shared/wire/reentry.ts";
import { createSigner } from "../shared/wire/signature.ts";
import { type Accept, createAccept, type PolicyOf } from "./accept.ts";
import { createEdge } from "./app.ts";
import { startCanary } from "./canary.ts";
import { type EdgeConfig, hopOf, secretsOf } from "./config.ts";
import { createDoors } from "./dialect/doors.ts";
import { httpCollector } from "./forward.ts";
import { fixedKeys, polledKeys } from "./keys.ts";
import { readOutside } from "./outside.ts";
import { clientReader } from "./proxies.ts";
import { createReenter } from "./reenter.ts";

export interface StartEdge {
  config: EdgeConfig;
  /** The collector in the same process; without it `WEIR_COLLECTOR_URL` is forwarded to. */
  collector?: CollectorPort | undefined;
  /** The keys of the same process; without it `WEIR_KEYS_URL` is asked. */
  keys?: KeySource | undefined;
  /** What projects ask, for an edge that takes no requests and so knows no keys. */
  policyOf?: PolicyOf | undefined;
  meter: Meter;
  logger: Logger;
  exposition?: (() => string) | undefined;
  /** false: only the pipeline, for what comes in by another way than HTTP. */
  listen?: boolean | undefined;
}

export interface RunningEdge {
  /** Where it listens; empty where it does not. */
  url: string;
  /** The pipeline itself, for what comes in by another way than HTTP. */
  accept: Accept;
  /** The way back in for what was quarantined. */
  reenter: Reenter;
  /** Refuses new requests, answers those under way, then stops listening. What was given stays open. */
  close(): Promise<void>;
}

const adapterOf = () => {
  if ("Bun" in globalThis) return import("./adapter/bun.ts");
  return "Deno" in globalThis ? import("./adapter/deno.ts") : import("./adapter/node.ts");
};

/** Starts an edge on Bun, Deno or Node. Throws a ConfigError where a hop has no address or no secret. */
export async function startEdge(start: StartEdge): Promise<RunningEdge> {
  const { config, meter, logger } = start;
  const clock = systemClock;
  const { hash, macOf, fetch, serve } = await adapterOf();
  const read = clientReader(config.WEIR_TRUSTED_PROXIES);
  const given = start.keys ?? (start.policyOf === undefined ? undefined : fixedKeys([]));
  const needsSigner = start.collector === undefined || given === undefined;
  const signer = needsSigner ? await createSigner(secretsOf(config), macOf) : undefined;
  const hop = (setting: "WEIR_COLLECTOR_URL" | "WEIR_KEYS_URL") => {
    return { url: hopOf(config, setting), signer: signer!, clock, logger, fetch };
  };
  const collector = start.collector ?? httpCollector(hop("WEIR_COLLECTOR_URL"));
  const keys = given ?? polledKeys(hop("WEIR_KEYS_URL"));
  const name = config.WEIR_EDGE_NAME;
  const policyOf = start.policyOf ?? keys.policyOf;
  const renewPolicies = start.policyOf === undefined ? keys.renew : undefined;
  const shared = { name, collector, clock, hash, meter, logger, policyOf, renewPolicies };
  const accept = createAccept(shared);
  const rateEventsPerSecond = config.WEIR_RATE_EVENTS_PER_SECOND;
  const doors = createDoors(readOutside(config, meter));
  const app = createEdge({
    ...shared,
    accept,
    keys,
    doors,
    rateEventsPerSecond,
    exposition: start.exposition,
  });
  const place = { host: config.WEIR_HOST, port: config.WEIR_EDGE_PORT };
  const server = start.listen === false ? undefined : await serve(app, place, read);
  const everyMs = 1_000 * config.WEIR_CANARY_SECONDS;
  // Only what listens is an edge; a command's pipeline ends before anybody could miss its canaries.
  const canary = server === undefined || everyMs === 0 ? undefined : startCanary({ ...shared, everyMs });
  return {
    url: server?.url ?? "",
    accept,
    reenter: createReenter(shared),
    async close() {
      await canary?.close();
      await accept.close();
      await server?.close();
      if (given === undefined) await keys.close();
      if (start.collector === undefined) await collector.close();
    },
  };
}

/** The way back in by a collector elsewhere, where the settings name one and a secret; undefined else. */
export async function reenterOver(start: Omit<StartEdge, "keys" | "listen">): Promise<Reenter | undefined> {
  const { config } = start;
  if (config.WEIR_COLLECTOR_URL === "local:" || config.WEIR_EDGE_SECRET === undefined) return undefined;
  return (await startEdge({ ...start, keys: fixedKeys([]), listen: false })).reenter;
}
