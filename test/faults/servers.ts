// Redis, Kafka and PostgreSQL of the fault suite: each behind a proxy, each to be hung, killed and restarted.
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findBinaries } from "../../aggregator/store/embedded-binaries.ts";
import { installKafka } from "../services/kafka/install.ts";
import { commonProperties } from "../services/kafka/properties.ts";
import { answers, freePort, serverSettings } from "../services/postgres.ts";
import { until } from "../support/until.ts";
import { type Passage, startProxy } from "./proxy.ts";

export interface Server {
  name: "redis" | "kafka" | "postgres";
  proxy: Passage;
  /** Through the proxy, for Weir; and past it, for the suite's own looks. */
  url: string;
  directUrl: string;
  /** All its processes stand still, and go on. */
  freeze(): void;
  thaw(): void;
  /** As kill -9 on all of it; resolves when it is gone. */
  kill(): Promise<void>;
  /** As an operator ends it. */
  stop(): Promise<void>;
  /** Starts it on what it had; resolves when it serves. */
  start(): Promise<void>;
  close(): Promise<void>;
}

interface Program {
  name: Server["name"];
  port: number;
  url(port: number): string;
  stopSignal: NodeJS.Signals;
  launch(): ChildProcess;
  ready(): Promise<void>;
  folder: string;
}

const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
const startMsMax = 90_000;

/** All three, started side by side. Rejects where one is missing. */
export async function startServers(): Promise<{ redis: Server; kafka: Server; postgres: Server }> {
  const [redis, kafka, postgres] = await Promise.all([startRedis(), startKafka(), startPostgres()]);
  return { redis, kafka, postgres };
}

async function run(program: Program, given?: Passage): Promise<Server> {
  const proxy = given ?? (await startProxy(program.port));
  let child = program.launch();
  const all = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, signal);
  };
  const ended = async (signal: NodeJS.Signals, act: () => void): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const end = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    act();
    const force = setTimeout(() => all("SIGKILL"), signal === "SIGKILL" ? 5_000 : 30_000);
    await end;
    clearTimeout(force);
  };
  await program.ready();
  return {
    name: program.name,
    proxy,
    url: program.url(proxy.port),
    directUrl: program.url(program.port),
    freeze: () => all("SIGSTOP"),
    thaw: () => all("SIGCONT"),
    kill: () => ended("SIGKILL", () => all("SIGKILL")),
    stop: () => ended(program.stopSignal, () => void child.kill(program.stopSignal)),
    async start() {
      child = program.launch();
      await program.ready();
    },
    async close() {
      all("SIGCONT");
      await ended("SIGKILL", () => all("SIGKILL"));
      await proxy.close();
      rmSync(program.folder, { recursive: true, force: true });
    },
  };
}

async function startRedis(): Promise<Server> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-redis-"));
  const words = [
    "--bind",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
  ];
  return await run({
    name: "redis",
    port,
    folder,
    url: (at) => `redis://127.0.0.1:${at}`,
    stopSignal: "SIGTERM",
    launch: () => spawn("redis-server", words, { cwd: folder, stdio: "ignore", detached: true }),
    ready: () => listens(port),
  });
}

async function startPostgres(): Promise<Server> {
  const programs = findPrograms();
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-postgres-"));
  if (nobody !== undefined) chownSync(folder, nobody, nobody);
  const identity = nobody === undefined ? {} : { uid: nobody, gid: nobody };
  const data = join(folder, "data");
  const made = ["-D", data, "-U", "weir", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"];
  execFileSync(join(programs, "initdb"), made, { cwd: folder, stdio: "pipe", ...identity });
  const words = ["-D", data, "-p", `${port}`, "-c", "unix_socket_directories=", ...serverSettings];
  const url = (at: number): string => `postgres://weir@127.0.0.1:${at}/postgres`;
  return await run({
    name: "postgres",
    port,
    folder,
    url,
    stopSignal: "SIGINT",
    launch: () =>
      spawn(join(programs, "postgres"), words, { cwd: folder, stdio: "ignore", detached: true, ...identity }),
    ready: () => answers(url(port)),
  });
}

// Clients go where the broker tells them to, so it tells them the proxy's port.
async function startKafka(): Promise<Server> {
  const home = await installKafka();
  if ("missing" in home) throw new Error(home.missing);
  const [port, controllerPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-kafka-"));
  const proxy = await startProxy(port);
  const properties = join(folder, "server.properties");
  const listener = `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${proxy.port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
`;
  writeFileSync(properties, commonProperties(controllerPort, join(folder, "data")) + listener);
  const java = (main: string): string[] => {
    const archive = existsSync(home.archive(main)) ? [`-XX:SharedArchiveFile=${home.archive(main)}`] : [];
    return ["-Xmx384m", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", ...archive, "-cp", home.classPath, main];
  };
  const id = randomBytes(16).toString("base64url").replace(/^-/, "A");
  await promisify(execFile)("java", [
    ...java("kafka.tools.StorageTool"),
    ...["format", "-t", id, "-c", properties],
  ]);
  const launch = (): ChildProcess => {
    const output = openSync(join(folder, "output.txt"), "a");
    const child = spawn("java", [...java("kafka.Kafka"), properties], {
      cwd: folder,
      stdio: ["ignore", output, output],
      detached: true,
    });
    closeSync(output);
    return child;
  };
  const program: Program = {
    name: "kafka",
    port,
    folder,
    url: (at) => `kafka://127.0.0.1:${at}`,
    stopSignal: "SIGTERM",
    launch,
    ready: () => listens(port),
  };
  // What goes past the proxy would be sent back through it, so there is one way only.
  const server = await run(program, proxy);
  return { ...server, directUrl: server.url };
}

const listens = (port: number): Promise<void> =>
  until(
    `port ${port} takes connections`,
    startMsMax,
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.once("connect", () => {
          socket.destroy();
          resolve(true);
        });
        socket.once("error", () => resolve(false));
      }),
  );

function findPrograms(): string {
  const system = "/usr/lib/postgresql";
  const found = existsSync(system) ? readdirSync(system).filter((name) => /^\d+$/.test(name)) : [];
  const newest = found
    .map((name) => join(system, name, "bin"))
    .filter((folder) => existsSync(join(folder, "postgres")))
    .sort()
    .at(-1);
  return newest ?? join(findBinaries().root, "bin");
}
