// What the guarantees cost: three processes from HTTP to rows, with claims and ledger and without them.
import { systemClock } from "../../shared/clock.ts";
import { openLog } from "../../shared/log/open.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { serviceUrl } from "../support/services.ts";
import { type Bench, interleave, median, ratioOf } from "./bench.ts";
import { makeBodies, type ServerProcess, sendAll, startServer } from "./http-load.ts";
import type { ServerPart } from "./http-server.ts";

const rounds = 5;
const events = 60_000;
const batch = 100;
/** Enough that the edge never waits for a client. */
const connections = 16;
const goal = 0.75;
const lookMs = 20;
const storedMsMax = 120_000;

export default {
  name: "guarantees",
  needs: ["redis", "kafka", "timescale"],
  async run({ add, say }) {
    const all = await startSide(true);
    const none = await startSide(false);
    try {
      say(`${rounds} rounds of ${events} events, ${batch} a request, ${connections} connections`);
      const turns = await interleave<"all" | "none", Turn>(rounds, {
        all: () => measure(all),
        none: () => measure(none),
      });
      const rateOf = (side: readonly Turn[]): number[] => side.map(({ rate }) => rate);
      const ratio = ratioOf(rateOf(turns.all), rateOf(turns.none));
      add(
        "without claims and ledger, from the first request to the last row",
        median(rateOf(turns.none)),
        "events/s",
      );
      add("with both; to without", median(rateOf(turns.all)), "events/s", {
        ratio,
        goal: `≥ ${goal}`,
        ok: ratio >= goal,
      });
      for (const name of ["edge", "collector", "aggregator"] as const) {
        const cpuOf = (side: readonly Turn[]): number[] => side.map(({ cpuUs }) => cpuUs[name]);
        add(`processor time of the ${name}; to without`, median(cpuOf(turns.all)), "µs/event", {
          ratio: ratioOf(cpuOf(turns.all), cpuOf(turns.none)),
        });
      }
    } finally {
      await all.stop();
      await none.stop();
    }
  },
} satisfies Bench;

type Name = "edge" | "collector" | "aggregator";

interface Side {
  processes: Record<Name, ServerProcess>;
  writeKey: string;
  /** Rows of events of a time or later, epoch ms. */
  storedSince(ms: number): Promise<number>;
  stop(): Promise<void>;
}

interface Turn {
  rate: number;
  cpuUs: Record<Name, number>;
}

async function startSide(isWhole: boolean): Promise<Side> {
  const name = Buffer.from(systemClock.random(4)).toString("hex");
  const store = await openScene(serviceUrl("timescale"));
  const logUrl = serviceUrl("kafka");
  const topic = `weir-bench-${name}`;
  const log = await openLog(logUrl, { topic, replication: 1, allowWeak: true });
  await log.create();
  const part = {
    logUrl,
    topic,
    claimsUrl: isWhole ? serviceUrl("redis") : "",
    collectorUrl: "",
    secret: `secret of ${name}`,
    writeKey: `wk_${name}`,
    store: { url: serviceUrl("timescale"), schema: store.schema, hasLedger: isWhole },
  } satisfies Omit<ServerPart, "part">;
  const aggregator = await startServer({ ...part, part: "aggregator" });
  const collector = await startServer({ ...part, part: "collector" });
  const edge = await startServer({ ...part, part: "edge", collectorUrl: collector.url });
  return {
    processes: { edge, collector, aggregator },
    writeKey: part.writeKey,
    async storedSince(ms) {
      const first = `${ms
        .toString(16)
        .padStart(12, "0")
        .replace(/^(.{8})/, "$1-")}-0000-0000-000000000000`;
      const [row] = await store.sql`select count(*)::int as rows from events where id >= ${first}::uuid`;
      return row?.["rows"] as number;
    },
    async stop() {
      for (const each of [edge, collector, aggregator]) await each.stop();
      await closeScene(store);
    },
  };
}

async function measure({ processes, writeKey, storedSince }: Side): Promise<Turn> {
  const sinceMs = Date.now();
  const bodies = makeBodies(events, batch);
  const before = await cpuOf(processes);
  const startedAt = performance.now();
  const accepted = await sendAll(processes.edge.url, writeKey, bodies, connections);
  if (accepted !== events) throw new Error(`${accepted} of ${events} events were accepted as new`);
  while ((await storedSince(sinceMs)) < events) {
    if (performance.now() - startedAt > storedMsMax) throw new Error("not everything was stored in time");
    await systemClock.sleep(lookMs);
  }
  const rate = (events / (performance.now() - startedAt)) * 1000;
  const after = await cpuOf(processes);
  const usOf = (name: Name): number => ((after[name] - before[name]) * 1000) / events;
  return {
    rate,
    cpuUs: { edge: usOf("edge"), collector: usOf("collector"), aggregator: usOf("aggregator") },
  };
}

async function cpuOf({ edge, collector, aggregator }: Side["processes"]): Promise<Record<Name, number>> {
  const [first, second, third] = await Promise.all([edge.cpuMs(), collector.cpuMs(), aggregator.cpuMs()]);
  return { edge: first, collector: second, aggregator: third };
}
