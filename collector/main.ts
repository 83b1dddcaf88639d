// A collector as a process or as a part of one: configuration and ports to a hop that takes batches.
import { hostname } from "node:os";
import { type Clock, systemClock } from "../shared/clock.ts";
import { toHex } from "../shared/event/bytes.ts";
import type { LogProducer } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { WeirError } from "../shared/problem.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import { createSigner } from "../shared/wire/signature.ts";
import { createCollectorApp } from "./app.ts";
import { type Breaker, withBreaker } from "./claims/breaker.ts";
import type { ClaimStore } from "./claims/claims.ts";
import { type Collect, createCollect } from "./collect.ts";
import { type CollectorConfig, secretsOf } from "./config.ts";
import { createPublisher } from "./publish.ts";
import { createReceipts } from "./receipt.ts";
import { createSettler } from "./settle.ts";
import { startDrain } from "./spool/drain.ts";
import { publishEnd } from "./spool/end.ts";
import { openFileSpool } from "./spool/files.ts";
import type { Spool } from "./spool/spool.ts";
import { measuredClaims, measuredCollect, measuredProducer, watchSpool } from "./telemetry.ts";

export interface StartCollector {
  config: CollectorConfig;
  /** Producer and claims are used, and left open at the end. */
  producer: LogProducer;
  claims: ClaimStore;
  clock?: Clock | undefined;
  meter: Meter;
  logger: Logger;
  exposition?: (() => string) | undefined;
  /** Asks the log for a sign of life, for readiness; without it only a closing collector is not ready. */
  reachLog?: (() => Promise<unknown>) | undefined;
  /** false: only the hop in this process, and no secret is needed. */
  listen?: boolean | undefined;
}

export interface RunningCollector {
  /** Where it listens; empty where it does not. */
  url: string;
  /** The hop for an edge in the same process. */
  port: CollectorPort;
  /** Refuses new batches, answers those under way, then stops listening. */
  close(): Promise<void>;
}

/**
 * Starts a collector. Throws where the claims say that they evict keys, and a ConfigError where it is to
 * listen and has no secret. Claims that cannot be reached stop nothing: batches go on unchecked.
 */
export async function startCollector(start: StartCollector): Promise<RunningCollector> {
  const { config, meter, logger } = start;
  const clock = start.clock ?? systemClock;
  const signer = start.listen === false ? undefined : await createSigner(secretsOf(config));
  await checkEviction(start.claims, logger);
  const claims = guarded(start.claims, clock, meter, logger);
  const settler = createSettler(claims);
  const name = config.WEIR_COLLECTOR_NAME ?? `${hostname().slice(0, 40)}-${toHex(clock.random(4))}`;
  const spool = openSpool(config, name, logger);
  const called = config.WEIR_COLLECTOR_NAME ?? spool?.name ?? name;
  const receipts = createReceipts(called, clock.now(), spool !== undefined);
  const producer = measuredProducer(start.producer, meter, logger);
  const drain = spool && startDrain({ spool, producer, receipts, settler, clock });
  const unwatch = spool && watchSpool(spool, meter, clock.now);
  const overflow = spool && drain && { spool, drain, now: clock.now };
  const publisher = createPublisher({ producer, receipts, overflow });
  const collect = measuredCollect(createCollect({ claims, publisher, settler, clock }), meter);
  const port = hopOf(collect, clock, start.reachLog);
  const server =
    signer && serve(config, createCollectorApp({ ...start, port, signer, clock, claimsState: claims.state }));
  return {
    url: server === undefined ? "" : server.url.origin,
    port,
    async close() {
      await port.close();
      await settler.idle();
      // A sender that stalls half-way through a body is not waited for.
      await Promise.race([server?.stop(), clock.sleep(stopMs)]);
      await server?.stop(true);
      await drain?.stop(drainStopMs);
      await settler.idle();
      unwatch?.();
      const held = spool?.held();
      await spool?.close();
      if (held?.records === 0) await publishEnd({ producer, receipts, clock }, stopMs);
      if (held !== undefined && held.records > 0) {
        logger.error("spool_remains", { records: held.records, events: held.events, bytes: held.bytes });
        throw new Error(
          `${held.records} records with ${held.events} events, ${held.bytes} bytes, stay in the spool; ` +
            "the next start on its folder brings them to the log",
        );
      }
    },
  };
}

// Keys that an eviction takes are counted twice at the store and shown to nobody, so it is refused here.
async function checkEviction(claims: ClaimStore, logger: Logger): Promise<void> {
  try {
    const { evicts, detail } = await claims.health();
    if (evicts === undefined) logger.error("claims_eviction_unknown", { detail });
    if (evicts !== true) return;
    throw new EvictionError(
      `the claims' server forgets keys under memory pressure (${detail}): set maxmemory-policy to noeviction, ` +
        "with CONFIG SET maxmemory-policy noeviction and in redis.conf, or turn eviction off where it is hosted",
    );
  } catch (error) {
    if (error instanceof EvictionError) throw error;
    logger.error("claims_unavailable", { error: String(error) });
  }
}

/** How long readiness waits for the log, and the end for connections that hold no batch. */
const reachMs = 2_000;
const stopMs = 2_000;
/** How long the end waits for the spool to drain. */
const drainStopMs = 10_000;

function openSpool(config: CollectorConfig, name: string, logger: Logger): Spool | undefined {
  const { WEIR_SPOOL_DIR: dir, WEIR_SPOOL_BYTES_MAX: bytesMax } = config;
  return dir === undefined ? undefined : openFileSpool({ dir, bytesMax, name, logger });
}

/** The claims' server is set to evict keys. */
class EvictionError extends Error {}

function guarded(claims: ClaimStore, clock: Clock, meter: Meter, logger: Logger): Breaker {
  meter.set("weir.claims.up", 1);
  return withBreaker(measuredClaims(claims, meter), {
    clock,
    changed(state, cause) {
      meter.set("weir.claims.up", state === "closed" ? 1 : 0);
      if (state === "open") logger.error("claims_unavailable", { error: String(cause) });
      // A server that could not be asked at the start, or was changed since, is asked again.
      else
        checkEviction(claims, logger).catch((error) =>
          logger.error("claims_evict", { error: String(error) }),
        );
    },
  });
}

function hopOf(collect: Collect, clock: Clock, reachLog?: () => Promise<unknown>): CollectorPort {
  const underWay = new Set<Promise<unknown>>();
  let isClosing = false;
  const refuseWhenClosing = (): void => {
    if (isClosing) throw new WeirError("shutting_down", "This collector is ending.");
  };
  return {
    async send(batch) {
      refuseWhenClosing();
      const work = collect(batch);
      underWay.add(work);
      try {
        return await work;
      } finally {
        underWay.delete(work);
      }
    },
    async ready() {
      refuseWhenClosing();
      if (reachLog === undefined) return;
      const late = clock.sleep(reachMs).then(() => "late");
      const reached = reachLog().then(
        () => "reached",
        () => "failed",
      );
      if ((await Promise.race([reached, late])) !== "reached") {
        throw new WeirError("not_ready", "The log cannot be reached.");
      }
    },
    async close() {
      isClosing = true;
      await Promise.allSettled(underWay);
    },
  };
}

// The limit of a body is ours, and answered with a problem; the server's own would only cut.
function serve(config: CollectorConfig, app: { fetch: (request: Request) => Response | Promise<Response> }) {
  return Bun.serve({
    hostname: config.WEIR_HOST,
    port: config.WEIR_COLLECTOR_PORT,
    fetch: (request) => app.fetch(request),
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // The longest publish, twice, and what the claims may take.
    idleTimeout: 60,
  });
}
