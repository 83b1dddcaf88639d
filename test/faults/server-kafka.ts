// Kafka of the fault suite: one broker behind a proxy, or several that are brokers and controllers together.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { installKafka, type KafkaHome } from "../services/kafka/install.ts";
import { commonProperties, plainListener } from "../services/kafka/properties.ts";
import { freePort } from "../services/postgres.ts";
import { startProxy } from "./proxy.ts";
import { listens, runServer, type Server } from "./servers.ts";

const heapMiB = 384;
const smallHeapMiB = 256;
const brokers = 3;

/** One broker. Clients go where it tells them to, so it tells them the proxy's port. */
export async function startKafka(): Promise<Server> {
  const home = await findKafka();
  const [port, controllerPort] = [await freePort(), await freePort()];
  const proxy = await startProxy(port);
  const folder = mkdtempSync(join(tmpdir(), "weir-faults-kafka-"));
  const settings =
    commonProperties(controllerPort, join(folder, "data")) + plainListener(port, controllerPort, proxy.port);
  const launch = await prepare(home, folder, settings, newId(), heapMiB);
  const url = (at: number): string => `kafka://127.0.0.1:${at}`;
  const program = { name: "kafka", port, folder, url, stopSignal: "SIGTERM", launch } as const;
  const server = await runServer({ ...program, ready: () => listens(port) }, proxy);
  // What goes past the proxy would be sent back through it, so there is one way only.
  return { ...server, directUrl: server.url };
}

/** Three brokers of one cluster, in the order of their numbers from 1; nothing stands before them. */
export async function startBrokers(): Promise<Server[]> {
  const home = await findKafka();
  const places = await Promise.all(
    Array.from({ length: brokers }, async (_, index) => ({
      id: index + 1,
      port: await freePort(),
      controllerPort: await freePort(),
      folder: mkdtempSync(join(tmpdir(), `weir-faults-kafka-${index + 1}-`)),
    })),
  );
  const voters = places.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(",");
  const cluster = newId();
  const url = (at: number): string => `kafka://127.0.0.1:${at}`;
  return await Promise.all(
    places.map(async ({ id, port, controllerPort, folder }) => {
      const settings = [
        commonProperties(controllerPort, join(folder, "data"), { id, voters, replicas: brokers }),
        plainListener(port, controllerPort),
      ].join("");
      const launch = await prepare(home, folder, settings, cluster, smallHeapMiB);
      const program = { name: `kafka-${id}`, port, folder, url, stopSignal: "SIGTERM", launch } as const;
      return await runServer({ ...program, ready: () => listens(port) });
    }),
  );
}

async function findKafka(): Promise<KafkaHome> {
  const home = await installKafka();
  if ("missing" in home) throw new Error(home.missing);
  return home;
}

/** Formats the broker's storage; answers how to start it. */
async function prepare(
  home: KafkaHome,
  folder: string,
  settings: string,
  cluster: string,
  heap: number,
): Promise<() => ChildProcess> {
  const properties = join(folder, "server.properties");
  writeFileSync(properties, settings);
  const java = (main: string): string[] => {
    const archive = existsSync(home.archive(main)) ? [`-XX:SharedArchiveFile=${home.archive(main)}`] : [];
    const machine = [`-Xmx${heap}m`, "-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", ...archive];
    return [...machine, "-cp", home.classPath, main];
  };
  const format = ["format", "-t", cluster, "-c", properties];
  await promisify(execFile)("java", [...java("kafka.tools.StorageTool"), ...format]);
  return () => {
    const output = openSync(join(folder, "output.txt"), "a");
    const child = spawn("java", [...java("kafka.Kafka"), properties], {
      cwd: folder,
      stdio: ["ignore", output, output],
      detached: true,
    });
    closeSync(output);
    return child;
  };
}

const newId = (): string => randomBytes(16).toString("base64url").replace(/^-/, "A");
