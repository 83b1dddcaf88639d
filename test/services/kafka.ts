// A real Kafka broker for the suites: one process, KRaft, on 127.0.0.1, its records in a temporary folder.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeCertificates } from "./certificates.ts";
import { installKafka, type KafkaHome } from "./kafka/install.ts";
import { commonProperties, plainListener, tlsListener } from "./kafka/properties.ts";

/** A running broker; `pid` lets a test stop and continue it. */
export interface RunningKafka {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** A broker with TLS: the URL carries no user, since several may be tried. */
export interface RunningKafkaTls {
  /** host:port */
  address: string;
  caPem: string;
  user: string;
  password: string;
  stop(): Promise<void>;
}

type Missing = { missing: string };

const brokerClass = "kafka.Kafka";
const startMsMax = 90_000;
const stopMsMax = 30_000;

/** Starts a broker without TLS, or says what is missing. */
export async function startKafka(): Promise<RunningKafka | Missing> {
  const home = await installKafka();
  if ("missing" in home) return home;
  const broker = await startBroker(
    home,
    async ({ port, controllerPort }) => plainListener(port, controllerPort),
    [],
  );
  return { url: `kafka://127.0.0.1:${broker.port}`, pid: broker.pid, stop: broker.stop };
}

/** Starts a broker that wants TLS and SASL (PLAIN, SCRAM-SHA-256 and -512), or says what is missing. */
export async function startKafkaTls(): Promise<RunningKafkaTls | Missing> {
  const home = await installKafka();
  if ("missing" in home) return home;
  const user = "weir";
  const password = `p@ss:w/rd-${randomUUID()}`;
  let caPem = "";
  const broker = await startBroker(
    home,
    async ({ port, internalPort, controllerPort, folder }) => {
      const made = await makeCertificates(folder, ["127.0.0.1", "localhost"]);
      caPem = made.caPem;
      const keyStore = join(folder, "broker.pem");
      await writeFile(
        keyStore,
        `${await readFile(made.keyFile, "utf8")}\n${await readFile(made.certFile, "utf8")}`,
      );
      return tlsListener({ port, controllerPort, internalPort, keyStore, user, password });
    },
    ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${user},password=${password}]`,
    ]),
  );
  return { address: `127.0.0.1:${broker.port}`, caPem, user, password, stop: broker.stop };
}

interface Place {
  port: number;
  internalPort: number;
  controllerPort: number;
  folder: string;
}
type Listener = (place: Place) => Promise<string>;

async function startBroker(
  home: KafkaHome,
  listener: Listener,
  formatArgs: readonly string[],
): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  // The archive of classes is written as a broker ends: once, here, and not while a test run waits for its end.
  if (!existsSync(home.archive(brokerClass))) {
    const folder = await mkdtemp(join(tmpdir(), "weir-kafka-"));
    await (await tryBroker(home, listener, formatArgs, folder)).stop();
  }
  // A free port may be taken before the broker binds it: then once more with others.
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(join(tmpdir(), "weir-kafka-"));
    try {
      return await tryBroker(home, listener, formatArgs, folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (attempt === 2) throw error;
    }
  }
}

async function tryBroker(home: KafkaHome, listener: Listener, formatArgs: readonly string[], folder: string) {
  const [port = 0, internalPort = 0, controllerPort = 0] = await freePorts(3);
  const properties = join(folder, "server.properties");
  const text = [
    commonProperties(controllerPort, join(folder, "data")),
    await listener({ port, internalPort, controllerPort, folder }),
  ].join("");
  await writeFile(properties, text, { mode: 0o600 });
  const clusterId = randomBytes(16).toString("base64url").replace(/^-/, "A");
  const format = javaArgs(home, "kafka.tools.StorageTool");
  await promisify(execFile)("java", [
    ...format.args,
    ...["format", "-t", clusterId, "-c", properties, ...formatArgs],
  ]);
  await format.keep();

  const start = javaArgs(home, brokerClass);
  const output = join(folder, "output.txt");
  const file = openSync(output, "w");
  const child = spawn("java", [...start.args, properties], { stdio: ["ignore", file, file] });
  closeSync(file);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await untilStarted(child, output);
  return {
    port,
    pid: child.pid!,
    async stop() {
      await end(child, ended);
      await start.keep();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

// The archive of classes is written as the first process that lacks it ends, and used by all later ones.
function javaArgs(home: KafkaHome, mainClass: string): { args: string[]; keep(): Promise<void> } {
  const archive = home.archive(mainClass);
  const beside = `${archive}.${randomUUID()}`;
  const isThere = existsSync(archive);
  const sharing = isThere ? `-XX:SharedArchiveFile=${archive}` : `-XX:ArchiveClassesAtExit=${beside}`;
  const args = ["-Xmx384m", "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true", sharing];
  return {
    args: [...args, "-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-cp", home.classPath, mainClass],
    keep: async () => {
      if (!isThere && existsSync(beside)) await rename(beside, archive);
    },
  };
}

async function untilStarted(child: ChildProcess, output: string): Promise<void> {
  const deadline = Date.now() + startMsMax;
  for (;;) {
    const text = await readFile(output, "utf8");
    if (text.includes("Kafka Server started")) return;
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error(`Kafka did not start: ${text.trim().split("\n").slice(-5).join(" | ")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGCONT");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await ended;
  clearTimeout(timer);
}

// All are held open until the last is found, so that no two are the same.
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
