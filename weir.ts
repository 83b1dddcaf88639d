// The command line, and embedded mode: the only file that knows all three processes.
import { Command } from "commander";
import { z } from "zod";
import { openAccounts } from "./aggregator/command/accounts.ts";
import { examineStore } from "./aggregator/command/doctor.ts";
import { registerAggregator } from "./aggregator/command/register.ts";
import { keepLocalKey } from "./aggregator/keys.ts";
import { startAggregator } from "./aggregator/main.ts";
import { policiesOf } from "./aggregator/projects.ts";
import { migrate } from "./aggregator/store/migrate.ts";
import { openStore } from "./aggregator/store/open.ts";
import type { Store } from "./aggregator/store/store.ts";
import type { ClaimStore } from "./collector/claims/claims.ts";
import { claimPrefix, openClaims } from "./collector/claims/open.ts";
import { examineClaims, examineLog } from "./collector/command/doctor.ts";
import { registerCollector } from "./collector/command/register.ts";
import { startCollectorOn } from "./collector/command/start.ts";
import { registerEdge } from "./edge/command/register-edge.ts";
import { registerImport, type WithImportDeps } from "./edge/command/register-import.ts";
import { registerLoad, type WithVerifyDeps } from "./edge/command/register-load.ts";
import { welcome } from "./edge/command/welcome.ts";
import { type RunningEdge, reenterOver, startEdge } from "./edge/main.ts";
import { systemClock } from "./shared/clock.ts";
import { parseWords, printFindings, processSource, runCommand, untilStopped } from "./shared/command.ts";
import { ConfigError, readConfig } from "./shared/config.ts";
import { armCrashPoint } from "./shared/crash-point.ts";
import { type DataDir, openDataDir } from "./shared/data-dir.ts";
import { ending } from "./shared/ending.ts";
import type { Log, LogIdentity } from "./shared/log/log.ts";
import { openLog } from "./shared/log/open.ts";
import { settingNames, settings } from "./shared/settings.ts";
import { createLogger } from "./shared/telemetry/logger.ts";
import { watchProcess } from "./shared/telemetry/process.ts";
import { createPrometheus } from "./shared/telemetry/prometheus.ts";

/** What the settings name, opened on demand; what has no URL lies in the data folder. */
interface Parts {
  config: z.output<z.ZodObject<typeof settings>>;
  dataDir: DataDir;
  log(url?: string): Promise<Log>;
  claims(identity: LogIdentity): Promise<ClaimStore>;
  store(url?: string, schema?: string): Promise<Store>;
}

const { meter, exposition } = createPrometheus();
watchProcess(meter);
const observed = { clock: systemClock, meter, logger: createLogger({ process: "weir" }), exposition };

/** Reads the settings. `makesUp`: without a secret of its own the data folder's is taken, made if need be. */
function readParts(makesUp: boolean): Parts {
  const config = readConfig(z.object(settings), processSource, settingNames);
  const dataDir = openDataDir(config.WEIR_DATA_DIR);
  const { WEIR_TLS_CA: ca, WEIR_LOG_TOPIC: topic, WEIR_LOG_PARTITIONS: partitions } = config;
  const shape = { topic, partitions, replication: config.WEIR_LOG_REPLICATION };
  const how = { allowWeak: config.WEIR_LOG_ALLOW_WEAK, ca, clientId: "weir", logger: observed.logger };
  const secrets = config.WEIR_EDGE_SECRET ?? (makesUp ? [dataDir.secrets().edgeSecret] : undefined);
  return {
    config: { ...config, WEIR_EDGE_SECRET: secrets },
    dataDir,
    log: (url = config.WEIR_LOG_URL ?? dataDir.logUrl) => openLog(url, { ...shape, ...how }),
    claims: (log) =>
      openClaims(config.WEIR_CLAIMS_URL ?? dataDir.claimsUrl, { prefix: claimPrefix(log), ca }),
    store: (url = config.WEIR_STORE_URL ?? dataDir.storeUrl, schema = config.WEIR_STORE_SCHEMA) =>
      openStore(url, { schema, dataDir: dataDir.path, ca }),
  };
}

/** The way to the log for commands: an edge's pipeline, and what it stands on. */
interface Running {
  store: Store;
  log: Log;
  edge: RunningEdge;
  urls: { edgeUrl: string; collectorUrl: string; aggregatorUrl: string };
  close(): Promise<void>;
}

/** The three processes in this one; `listen: false` opens no port. */
const startAll = (parts: Parts, listen: boolean): Promise<Running> =>
  ending(async (ends) => {
    const { config } = parts;
    const [store, log] = await Promise.all([parts.store(), parts.log()]);
    ends.push(() => store.close());
    await Promise.all([migrate(store), log.create()]);
    const edgeUrl = `http://${config.WEIR_HOST}:${config.WEIR_EDGE_PORT}`;
    const reenter: RunningEdge["reenter"] = { send: (batch) => edge.reenter.send(batch) };
    const aggregator = await startAggregator({ config, store, log, edgeUrl, reenter, ...observed, listen });
    ends.push(() => aggregator.close());
    const collector = await startCollectorOn(log, parts.claims, ends, { ...observed, config, listen });
    const hops = { collector: collector.port, policyOf: listen ? undefined : policiesOf(store) };
    const edgeConfig = { ...config, WEIR_KEYS_URL: aggregator.url };
    const edge = await startEdge({ ...observed, config: edgeConfig, ...hops, listen });
    ends.push(() => edge.close());
    const urls = { edgeUrl: edge.url, collectorUrl: collector.url, aggregatorUrl: aggregator.url };
    return { store, log, edge, urls };
  });

/** `dev` makes its own secrets and a write key in the data folder; `serve` makes up nothing. */
async function runEmbedded(isDev: boolean): Promise<undefined> {
  const stopped = untilStopped();
  const parts = readParts(isDev);
  const { dataDir } = parts;
  const other = dataDir.running();
  if (other)
    throw new Error(`process ${other.pid} serves ${dataDir.path} already, at ${other.aggregatorUrl}`);
  if (parts.config.WEIR_EDGE_SECRET === undefined)
    throw new ConfigError(["WEIR_EDGE_SECRET: serve makes up no secret; set one"]);
  const running = await startAll(parts, true);
  try {
    const { writeKey, project } = isDev ? dataDir.secrets() : {};
    if (writeKey && project) await keepLocalKey(running.store, writeKey, project);
    dataDir.announce({ pid: process.pid, ...running.urls });
    process.stdout.write(welcome(running.urls, writeKey));
    await stopped;
  } finally {
    dataDir.withdraw();
    await running.close();
  }
}

/** An edge's pipeline onto a collector that runs elsewhere. */
const joinCollector = (parts: Parts, url: string): Promise<Omit<Running, "urls">> =>
  ending(async (ends) => {
    const config = { ...parts.config, WEIR_COLLECTOR_URL: url };
    const [store, log] = await Promise.all([parts.store(), parts.log()]);
    ends.push(() => store.close());
    const edge = await startEdge({ ...observed, config, policyOf: policiesOf(store), listen: false });
    ends.push(() => edge.close());
    return { store, log, edge };
  });

// Through whoever serves the data folder, a collector elsewhere, or everything started here for the while.
async function withPipeline<T>(work: (place: Omit<Running, "urls">, parts: Parts) => Promise<T>): Promise<T> {
  const parts = readParts(true);
  const url = parts.dataDir.running()?.collectorUrl ?? parts.config.WEIR_COLLECTOR_URL;
  const place = url === "local:" ? await startAll(parts, false) : await joinCollector(parts, url);
  return await work(place, parts).finally(() => place.close());
}

const withImport: WithImportDeps = async ({ project = "default" }, work) => {
  const stop = new AbortController();
  void untilStopped().then(() => stop.abort());
  return await withPipeline(async ({ store, log, edge: { accept } }, { dataDir: { path }, config }) => {
    const accounts = await openAccounts(store, log, project, config);
    const how = { isTerminal: process.stderr.isTTY === true, clock: systemClock, signal: stop.signal };
    const deps = { ...accounts, accept, project, dataDir: path, ...how };
    return await work(deps).finally(() => accounts.close());
  });
};

const withVerify: WithVerifyDeps = async (project = "default", work) => {
  const parts = readParts(true);
  const store = await parts.store();
  const accounts = await openAccounts(store, await parts.log(), project, parts.config);
  return await work({ ...accounts, clock: systemClock }).finally(async () => {
    await accounts.close();
    await store.close();
  });
};

const doctor = async (json: boolean): Promise<number> => {
  const { config, ...parts } = readParts(true);
  // Whoever only looks asks for no claim, so any log's will do, also where the log itself is gone.
  const openForALook = () => parts.claims({ id: "doctor", topic: config.WEIR_LOG_TOPIC, partitions: 1 });
  const log = await examineLog(parts.log, config.WEIR_LEDGER_DAYS);
  const claims = await examineClaims(openForALook);
  return printFindings(json, [...log, ...claims, ...(await examineStore(parts.store, config))]);
};

const program = new Command("weir").description("counts every event exactly once, and proves it");
const modes = { dev: "run everything on this machine", serve: "run everything, with secrets of your own" };
for (const [name, text] of Object.entries(modes)) {
  const command = program.command(name).description(text);
  command.action(() => runCommand(() => runEmbedded(name === "dev")));
}
program
  .command("doctor")
  .description("look at every port, and say what to do")
  .option("--json", "the result as one JSON object on the last line")
  .action((flags: { json?: boolean }) => runCommand(() => doctor(flags.json === true)));
registerEdge(program, () => startEdge({ ...observed, config: readParts(false).config }));
registerCollector(program, () =>
  ending(async (ends) => {
    const { config, log, claims } = readParts(false);
    return await startCollectorOn(await log(), claims, ends, { ...observed, config });
  }),
);
registerAggregator(program, {
  openStore: (url, schema) => readParts(true).store(url, schema),
  openLog: (url) => readParts(true).log(url),
  config: () => readParts(true).config,
  withReenter: (work) => withPipeline(({ store, edge }) => work(store, edge.reenter)),
  start: async (store, log, start = { ...observed, config: readParts(false).config }) => {
    const reenter = await reenterOver({ ...start, policyOf: policiesOf(store) });
    return await startAggregator({ ...start, store, log, reenter });
  },
});
registerImport(program, withImport);
registerLoad(program, withVerify, () => readParts(true).dataDir.secrets().writeKey);
armCrashPoint(process.env["WEIR_TEST_CRASH_AT"] ?? "");
await parseWords(program);
