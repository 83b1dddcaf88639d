// Edge, collector and aggregator as the three processes of the command line, on real services.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import { serviceUrl } from "../support/services.ts";

export interface ThreeProcesses {
  edgeUrl: string;
  aggregatorUrl: string;
  writeKey: string;
  /** The schema they write to. */
  schema: string;
  stop(): Promise<void>;
}

const root = join(import.meta.dirname, "../..");
const readyMsMax = 60_000;
const stopMsMax = 10_000;

/** Starts them and resolves when the edge is ready, which takes all three. */
export async function startThree(): Promise<ThreeProcesses> {
  const name = Buffer.from(systemClock.random(4)).toString("hex");
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
  const schema = `weir_${name}`;
  const env: Record<string, string | undefined> = {
    ...process.env,
    WEIR_DATA_DIR: folder,
    WEIR_LOG_URL: serviceUrl("kafka"),
    WEIR_LOG_TOPIC: `weir-bench-${name}`,
    WEIR_LOG_REPLICATION: "1",
    WEIR_LOG_ALLOW_WEAK: "1",
    WEIR_CLAIMS_URL: serviceUrl("redis"),
    WEIR_STORE_URL: serviceUrl("timescale"),
    WEIR_STORE_SCHEMA: schema,
    WEIR_EDGE_SECRET: `secret of ${name}`,
    WEIR_EDGE_PORT: "0",
    WEIR_COLLECTOR_PORT: "0",
    WEIR_AGGREGATOR_PORT: "0",
  };
  const children: Bun.Subprocess[] = [];
  const stop = async (): Promise<void> => {
    // The edge first, so that none loses who it asks.
    for (const child of children.splice(0).reverse()) await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  const begin = async (command: string, more: Record<string, string> = {}): Promise<string> => {
    const child = Bun.spawn([process.execPath, "weir.ts", command], {
      cwd: root,
      env: { ...env, ...more },
      stdout: "pipe",
      stderr: "inherit",
    });
    children.push(child);
    return await urlOf(command, child.stdout);
  };
  try {
    const writeKey = await createKey(env);
    const aggregator = await begin("aggregator");
    const collector = await begin("collector");
    const edgeUrl = await begin("edge", { WEIR_COLLECTOR_URL: collector, WEIR_KEYS_URL: aggregator });
    await untilReady(edgeUrl);
    return { edgeUrl, aggregatorUrl: aggregator, writeKey, schema, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function createKey(env: Record<string, string | undefined>): Promise<string> {
  await runToEnd(["migrate"], env);
  const output = await runToEnd(["keys", "create", "--project", "bench", "--json"], env);
  return (JSON.parse(output.trimEnd().split("\n").at(-1)!) as { key: string }).key;
}

async function runToEnd(words: readonly string[], env: Record<string, string | undefined>): Promise<string> {
  const command = [process.execPath, "weir.ts", ...words];
  const child = Bun.spawn(command, { cwd: root, env, stdout: "pipe", stderr: "inherit" });
  const output = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`weir ${words.join(" ")} failed: ${output}`);
  return output;
}

// Each says its address in its first line; what it says later is read and dropped, so that it never waits.
async function urlOf(command: string, stdout: ReadableStream<Uint8Array>): Promise<string> {
  const found = Promise.withResolvers<string>();
  const read = async (): Promise<void> => {
    let text = "";
    for await (const chunk of stdout) {
      if (text.length < 10_000) text += Buffer.from(chunk).toString("utf8");
      const url = new RegExp(`^${command} (http\\S+)`, "m").exec(text)?.[1];
      if (url !== undefined) found.resolve(url);
    }
    found.reject(new Error(`weir ${command} ended: ${text}`));
  };
  read().catch(found.reject);
  return await found.promise;
}

async function untilReady(url: string): Promise<void> {
  const deadline = performance.now() + readyMsMax;
  for (;;) {
    const response = await fetch(`${url}/readyz`).catch(() => undefined);
    if (response?.ok === true) return;
    if (performance.now() > deadline) throw new Error(`${url} is not ready: ${await response?.text()}`);
    await systemClock.sleep(100);
  }
}

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
  await child.exited;
  clearTimeout(timer);
}
