// An aggregator as a process or as a part of one: it writes what the log holds, and answers questions.
import type { Clock } from "../shared/clock.ts";
import { ConfigError } from "../shared/config.ts";
import { ending } from "../shared/ending.ts";
import type { Log, LogReader } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { WeirError } from "../shared/problem.ts";
import type { Reenter } from "../shared/wire/reentry.ts";
import { startAlerts } from "./alert/alerts.ts";
import { type AlertConfig, alertSettings } from "./alert/settings.ts";
import { createApi } from "./api/app.ts";
import { createFreshness, type Freshness } from "./completeness/freshness.ts";
import type { Consume } from "./consume.ts";
import { followLog } from "./follow.ts";
import { startFolding } from "./ledger/folding.ts";
import { proofSettings } from "./ledger/spools.ts";
import { startRetention } from "./lifecycle/retention.ts";
import { startModelFolding } from "./model/folding.ts";
import { startNotices } from "./notice/start.ts";
import { type NoticeConfig, noticeTopics } from "./notice/topics.ts";
import { startRounds } from "./quarantine/automatic.ts";
import { openQuestioned } from "./store/open.ts";
import type { Questioned } from "./store/replica.ts";
import type { Store } from "./store/store.ts";
import { hasAdminToken } from "./tokens.ts";

/** The settings an aggregator reads. */
export interface AggregatorConfig extends AlertConfig, NoticeConfig {
  WEIR_HOST: string;
  WEIR_AGGREGATOR_PORT: number;
  WEIR_API_TOKEN?: string | undefined;
  WEIR_SPOOL_DIR?: string | undefined;
  WEIR_EDGE_SECRET?: string[] | undefined;
  WEIR_EDGE_BUFFERS?: string[] | undefined;
  WEIR_CANARY_SECONDS: number;
  WEIR_FRESHNESS_MAX_SECONDS: number;
  WEIR_QUARANTINE_DAYS: number;
  WEIR_RETENTION_DAYS: number;
  WEIR_CONVERSION_TYPES?: string[] | undefined;
  WEIR_LEDGER_DAYS: number;
  WEIR_READ_URL?: string | undefined;
  WEIR_TLS_CA?: string | undefined;
}

export interface StartAggregator {
  config: AggregatorConfig;
  /** Migrated; it is used, and left open at the end. */
  store: Store;
  log: Log;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  exposition?: (() => string) | undefined;
  /** Where an edge takes events, for the dashboard's first command. */
  edgeUrl?: string | undefined;
  /** The way back in for quarantined events; without it nothing is retried here. */
  reenter?: Reenter | undefined;
  /** false: writes only, and no port is opened. */
  listen?: boolean | undefined;
}

type Served = StartAggregator & Questioned & { ending: AbortSignal };

export interface RunningAggregator {
  /** Where it listens; empty where it does not. */
  url: string;
  close(): Promise<void>;
}

/** All aggregators of one log are one group of readers. */
const group = "weir-aggregator";
const gaugesMs = 5_000;
/** The end does not wait longer than this for answers under way. */
const stopMs = 2_000;

/**
 * Starts an aggregator. Throws a ConfigError where it is to listen beyond this machine and nobody has a token
 * that may do everything: it is never open to whoever reaches it, and somebody must be able to get in.
 */
export async function startAggregator(start: StartAggregator): Promise<RunningAggregator> {
  const { config, store, clock, log, logger } = start;
  if (start.listen !== false && needsToken(config) && !(await hasAdminToken(store.sql))) {
    const way = "set WEIR_API_TOKEN, or make one with weir tokens create --role admin";
    throw new ConfigError([`WEIR_HOST: listening on ${config.WEIR_HOST} needs a token; ${way}`]);
  }
  return await ending(async (ends) => {
    const consume = await followLog({ ...start, group });
    ends.push(() => consume.close());
    const { reader } = consume;
    const freshness = createFreshness(start, {
      canarySeconds: config.WEIR_CANARY_SECONDS,
      maxSeconds: config.WEIR_FRESHNESS_MAX_SECONDS,
    });
    const gauges = setInterval(() => {
      void tellGauges(start, consume, reader).catch(() => {});
      void freshness.look();
    }, gaugesMs);
    ends.push(async () => clearInterval(gauges));
    // A command's own aggregator lives for moments; whoever serves looks after the quarantine.
    if (start.listen === false) return { url: "" };
    const rounds = startRounds({ ...start, reenter: start.reenter, days: config.WEIR_QUARANTINE_DAYS });
    ends.push(() => rounds.close());
    const folding = startFolding({ ...start, reader, days: config.WEIR_LEDGER_DAYS });
    ends.push(() => folding.close());
    const models = startModelFolding(start);
    ends.push(() => models.close());
    const retention = startRetention({ ...start, days: config.WEIR_RETENTION_DAYS });
    ends.push(() => retention.close());
    const latenessMs = config.WEIR_LATENESS_ALLOWED_SECONDS * 1_000;
    const notices = startNotices({ ...start, reader, topics: noticeTopics(config), latenessMs });
    ends.push(() => notices.close());
    const alerts = startAlerts({ ...start, ...alertSettings(config), reader });
    ends.push(() => alerts.close());
    logger.info("aggregator_started", { store: store.label, flavour: store.flavour, log: log.label });
    const questioned = openQuestioned(config.WEIR_READ_URL, store, { clock, ca: config.WEIR_TLS_CA });
    ends.push(() => questioned.close());
    const ended = new AbortController();
    const server = serve({ ...start, ...questioned, ending: ended.signal }, consume, reader, freshness);
    ends.push(async () => {
      ended.abort();
      await Promise.race([server.stop(), clock.sleep(stopMs)]);
      await server.stop(true);
    });
    return { url: server.url.origin };
  });
}

function serve(start: Served, consume: Consume, reader: LogReader, freshness: Freshness) {
  const { config } = start;
  const api = createApi({
    ...start,
    reader,
    token: config.WEIR_API_TOKEN,
    needsToken: needsToken(config),
    edgeSecrets: config.WEIR_EDGE_SECRET ?? [],
    ready: async () => {
      const fault = consume.state().isWriting ? undefined : "the store takes no writes";
      const faults = [fault, await freshness.fault()].filter((one) => one !== undefined);
      if (faults.length > 0) throw new WeirError("not_ready", faults.join("; "));
    },
    freshSeconds: freshness.ageSeconds,
    conversionTypes: config.WEIR_CONVERSION_TYPES,
    proof: proofSettings(config),
  });
  return Bun.serve({
    hostname: config.WEIR_HOST,
    port: config.WEIR_AGGREGATOR_PORT,
    fetch: (request) => api.fetch(request),
    idleTimeout: 30,
  });
}

// What is true of the log and the store between two writes: how far behind, and how old the newest event.
async function tellGauges(
  { clock, meter }: StartAggregator,
  consume: Consume,
  reader: LogReader,
): Promise<void> {
  const { positions, delayMs, newestReceivedAt } = consume.state();
  meter.set("weir.aggregator.delay", delayMs / 1_000);
  const ranges = await reader.ranges();
  let lag = 0n;
  for (const [partition, next] of positions) lag += (ranges.get(partition)?.end ?? next) - next;
  meter.set("weir.aggregator.lag", Number(lag));
  if (newestReceivedAt === 0) return;
  meter.set("weir.aggregator.event.age", (clock.now() - newestReceivedAt) / 1_000);
}

const needsToken = ({ WEIR_HOST, WEIR_API_TOKEN }: AggregatorConfig): boolean =>
  !isLoopback(WEIR_HOST) && WEIR_API_TOKEN === undefined;
const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/.test(host);
