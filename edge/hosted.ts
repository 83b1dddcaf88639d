// An edge whose process is somebody else's, as on Workers and Deno Deploy: made at the first request from what
// the platform hands over, and nothing of it runs between requests.
import { systemClock } from "../shared/clock.ts";
import { ConfigError } from "../shared/config.ts";
import type { Hash } from "../shared/event/hash.ts";
import type { Logger } from "../shared/logger.ts";
import { silentMeter } from "../shared/meter.ts";
import { problemResponse, WeirError } from "../shared/problem.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import { createSigner, signatureHeader } from "../shared/wire/signature.ts";
import { createEdge } from "./app.ts";
import type { BatchBuffer } from "./buffer/buffer.ts";
import { bufferedCollector } from "./buffer/buffered-collector.ts";
import { sendCanary } from "./canary.ts";
import type { ClientFacts } from "./client.ts";
import { type EdgeConfig, hopOf, readEdgeConfig, secretsOf } from "./config.ts";
import { createDoors } from "./dialect/doors.ts";
import { httpCollector } from "./forward.ts";
import { keysAtUse } from "./keys-at-use.ts";
import { readOutside } from "./outside.ts";
import type { ReadClient } from "./proxies.ts";

/** What a platform brings. Settings are read once, at the first request. */
export interface Hosting {
  settings(): Readonly<Record<string, unknown>>;
  hash: Hash;
  logger: Logger;
  /** Makes the reader of a client's address from `WEIR_TRUSTED_PROXIES`, or from what the platform says anyway. */
  reader(setting: string | undefined): ReadClient;
  /** False where a request may not wait for another one's work, as in a plain Worker. */
  groupCommit: boolean;
  /** The buffer that stands in for the collector while it is away, spread over so many parts. */
  buffer?: ((objects: number) => BatchBuffer) | undefined;
}

/** What a platform knows of one request. */
export interface Visit {
  /** The address the connection came from. */
  sender: string | undefined;
  /** What the platform itself says of the client; it stands before what a header says. */
  facts?: ClientFacts | undefined;
  /** Keeps the runtime from ending work that outlives the answer. */
  waitUntil(work: Promise<unknown>): void;
}

export interface HostedEdge {
  fetch(request: Request, visit: Visit): Promise<Response>;
  /** Sends one canary, for a platform that calls by the clock. Never rejects. */
  canary(): Promise<void>;
}

/** What lies in the buffer, in sum or, below it, batch by batch; told to who signs as an edge does. */
const statePath = "/v1/buffer";
/** With a buffer at hand nobody waits long for the collector. */
const bufferedPatience = { attemptsMax: 1, deadlineMs: 4_000 };

type Parts = Awaited<ReturnType<typeof make>>;

export function createHosted(hosting: Hosting): HostedEdge {
  let parts: Parts | undefined;
  return {
    async fetch(request, { sender, facts, waitUntil }) {
      try {
        const { app, keys, read, buffer, signer } = await made();
        const { pathname, searchParams } = new URL(request.url);
        if (buffer !== undefined && pathname.startsWith(statePath)) {
          await signer.verify(request.headers.get(signatureHeader), new Uint8Array(), Date.now());
          if (pathname === statePath) return Response.json({ data: await buffer.states() });
          return Response.json(await buffer.list(searchParams.get("cursor") ?? undefined));
        }
        await keys.use(waitUntil);
        const client = { ...read(request.headers, sender), ...facts };
        return await app.fetch(request, { client, waitUntil });
      } catch (error) {
        return problemResponse(error instanceof WeirError ? error : report(error));
      }
    },
    async canary() {
      try {
        await sendCanary((await made()).shared);
      } catch (error) {
        report(error);
      }
    },
  };

  // Two first requests may each make one, and the later one is dropped: waiting for another request's
  // promise is what a Worker may not do.
  async function made(): Promise<Parts> {
    if (parts !== undefined) return parts;
    const own = await make(hosting);
    parts ??= own;
    return parts;
  }

  // A fault of the settings has no process that could refuse to start: every request is told, and the log why.
  function report(error: unknown): WeirError {
    if (error instanceof ConfigError) hosting.logger.error("settings_faulty", { faults: error.faults });
    else hosting.logger.error("request_failed", { error: String(error) });
    return new WeirError("not_ready", "This edge cannot begin; its log says why.");
  }
}

type Settings = ReturnType<Hosting["settings"]>;

// A platform hands its bindings over among the settings.
function configOf(given: Settings): EdgeConfig {
  const texts = Object.entries(given).filter(([, value]) => typeof value === "string");
  return readEdgeConfig({ env: Object.fromEntries(texts) as Record<string, string> });
}

/** What the object of a buffer takes from the same settings. */
export function bufferSettings(given: Settings, logger: Logger) {
  const config = configOf(given);
  const collector = async (): Promise<CollectorPort> => {
    const over = { signer: await createSigner(secretsOf(config)), clock: systemClock, logger };
    return httpCollector({ url: hopOf(config, "WEIR_COLLECTOR_URL"), ...over });
  };
  return { bytesMax: config.WEIR_BUFFER_BYTES_MAX, collector };
}

async function make(hosting: Hosting) {
  const { hash, logger, groupCommit } = hosting;
  const config = configOf(hosting.settings());
  const clock = systemClock;
  const over = { signer: await createSigner(secretsOf(config)), clock, logger };
  const buffer = hosting.buffer?.(config.WEIR_BUFFER_OBJECTS);
  const patience = buffer === undefined ? undefined : bufferedPatience;
  const direct = httpCollector({ url: hopOf(config, "WEIR_COLLECTOR_URL"), ...over, patience });
  const collector =
    buffer === undefined ? direct : bufferedCollector({ collector: direct, buffer, clock, logger });
  const keys = keysAtUse({ url: hopOf(config, "WEIR_KEYS_URL"), ...over });
  const name = config.WEIR_EDGE_NAME;
  const policies = { policyOf: keys.policyOf, renewPolicies: keys.renew };
  const shared = { name, collector, clock, hash, meter: silentMeter, logger, groupCommit, ...policies };
  const rateEventsPerSecond = config.WEIR_RATE_EVENTS_PER_SECOND;
  const doors = createDoors(readOutside(config, silentMeter));
  const app = createEdge({ ...shared, keys, doors, rateEventsPerSecond });
  const read = hosting.reader(config.WEIR_TRUSTED_PROXIES);
  return { app, keys, read, shared, buffer, signer: over.signer };
}
