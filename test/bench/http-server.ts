// A server under measure, as a process of its own: what it is to be stands in its one word, and over IPC
// it tells where it listens and, whenever asked, how much processor time it has had.
import { z } from "zod";
import { startConsume } from "../../aggregator/consume.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { claimPrefix, openClaims } from "../../collector/claims/open.ts";
import { startCollectorOn } from "../../collector/command/start.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { startEdge } from "../../edge/main.ts";
import { systemClock } from "../../shared/clock.ts";
import { type Ends, ending } from "../../shared/ending.ts";
import { openLog } from "../../shared/log/open.ts";
import { settings } from "../../shared/settings.ts";
import { createLogger } from "../../shared/telemetry/logger.ts";
import { createPrometheus } from "../../shared/telemetry/prometheus.ts";
import { noClaims } from "./no-claims.ts";
import { noLedger } from "./no-ledger.ts";

/** What the process is: edge and collector together, one of three, or reading and JSON.parse alone. */
export interface ServerPart {
  part: "both" | "edge" | "collector" | "aggregator" | "floor";
  logUrl: string;
  topic: string;
  /** Empty: no claims, and every event is taken as new. */
  claimsUrl: string;
  collectorUrl: string;
  secret: string;
  writeKey: string;
  /** Where an aggregator writes. */
  store?: { url: string; schema: string; hasLedger: boolean };
}

export type ServerWord = { url: string } | { cpuMs: number };

const given = JSON.parse(process.argv[2] ?? "") as ServerPart;
const { meter, exposition } = createPrometheus();
const observed = { clock: systemClock, meter, logger: createLogger({ process: "bench" }), exposition };
const config = z.object(settings).parse({
  WEIR_EDGE_PORT: "0",
  WEIR_COLLECTOR_PORT: "0",
  WEIR_EDGE_SECRET: given.secret,
  WEIR_COLLECTOR_URL: given.part === "edge" ? given.collectorUrl : "local:",
  // The benchmark is to find the limit of the server, not of a key.
  WEIR_RATE_EVENTS_PER_SECOND: "100000000",
});

const running = given.part === "floor" ? startFloor() : await start();
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  tell({ cpuMs: (user + system) / 1000 });
});
process.on("SIGTERM", () => void running.close().finally(() => process.exit()));
tell({ url: running.url });

function tell(word: ServerWord): void {
  process.send?.(word);
}

async function start(): Promise<{ url: string; close(): Promise<void> }> {
  return await ending(async (ends) => {
    const part = given.part;
    if (part === "aggregator") return await startWriting(ends);
    const collector = part === "edge" ? undefined : await startCollector(ends);
    if (part === "collector") return { url: collector!.url };
    const hash = new Bun.CryptoHasher("sha256").update(given.writeKey).digest("hex");
    const keys = fixedKeys([{ hash, project: "bench", rights: ["historical"] }]);
    const edge = await startEdge({ ...observed, config, collector: collector?.port, keys });
    ends.push(() => edge.close());
    return { url: edge.url };
  });
}

async function startCollector(ends: Ends) {
  const { logUrl, topic, claimsUrl } = given;
  const log = await openLog(logUrl, { topic, replication: 1, allowWeak: true, clientId: "bench" });
  return await startCollectorOn(
    log,
    async (identity) =>
      claimsUrl === "" ? noClaims : await openClaims(claimsUrl, { prefix: claimPrefix(identity) }),
    ends,
    { ...observed, config, listen: given.part === "collector" },
  );
}

async function startWriting(ends: Ends): Promise<{ url: string }> {
  const { url, schema, hasLedger } = given.store!;
  const store = await openStore(url, { schema, dataDir: "" });
  ends.push(() => store.close());
  const log = await openLog(given.logUrl, { topic: given.topic, replication: 1, allowWeak: true });
  const consumer = await log.consumer(given.topic);
  const ledger = hasLedger ? undefined : noLedger;
  const consume = await startConsume({ ...observed, store, consumer, ledger });
  ends.push(() => consume.close());
  return { url: "none" };
}

function startFloor(): { url: string; close(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.method !== "POST") return new Response(null, { status: 404 });
      const { events } = JSON.parse(await request.text()) as { events: unknown[] };
      return Response.json({ accepted: events.length }, { status: 202 });
    },
  });
  return { url: server.url.origin, close: () => server.stop(true) };
}
