// From an HTTP request to the log's acknowledgement, dedup on: processor time an event, and events a second.
import { systemClock } from "../../shared/clock.ts";
import { openLog } from "../../shared/log/open.ts";
import { serviceUrl } from "../support/services.ts";
import { type Add, type Bench, interleave, type Judged, median } from "./bench.ts";
import type { Contents } from "./events.ts";
import { makeBodies, type ServerProcess, sendAll, startServer } from "./http-load.ts";
import type { ServerPart } from "./http-server.ts";
import { hopStep, measureSteps } from "./http-steps.ts";

const rounds = 4;
interface Load {
  batch: number;
  contents: Contents;
  /** Events a turn: about a second for the slowest side. */
  events: number;
  connections: number;
}
const loads: readonly Load[] = [
  { batch: 1, contents: "retail", events: 8_000, connections: 64 },
  { batch: 20, contents: "retail", events: 40_000, connections: 32 },
  { batch: 100, contents: "small", events: 100_000, connections: 16 },
  { batch: 100, contents: "retail", events: 100_000, connections: 16 },
];
const floor = "reading and JSON.parse alone";
/** µs an event at 100 a request. */
const goals: Readonly<Record<string, number>> = { "one process": 10, "two processes": 17 };
const goalBatch = 100;
/** The claims are settled behind the answer; what that takes belongs to the turn. */
const settleMs = 50;

export default {
  name: "http",
  needs: ["redis", "kafka"],
  async run({ add, say }) {
    const random = Buffer.from(systemClock.random(4)).toString("hex");
    const places = {
      logUrl: serviceUrl("kafka"),
      claimsUrl: serviceUrl("redis"),
      topic: `weir-bench-${random}`,
    };
    const log = await openLog(places.logUrl, { topic: places.topic, replication: 1, allowWeak: true });
    await log.create();
    const writeKey = `wk_${random}`;
    const part = { ...places, collectorUrl: "", secret: `secret of ${random}`, writeKey };
    const servers: ServerProcess[] = [];
    const begin = async (more: Pick<ServerPart, "part"> & Partial<ServerPart>): Promise<ServerProcess> => {
      const server = await startServer({ ...part, ...more });
      servers.push(server);
      return server;
    };
    try {
      const collector = await begin({ part: "collector" });
      // The first of each is where requests go.
      const sides: Readonly<Record<string, readonly ServerProcess[]>> = {
        "one process": [await begin({ part: "both" })],
        "two processes": [await begin({ part: "edge", collectorUrl: collector.url }), collector],
        "reading and JSON.parse alone": [await begin({ part: "floor" })],
      };
      for (const load of loads) {
        const { batch, contents, events, connections } = load;
        const what = `${batch} ${contents === "small" ? "small " : ""}a request`;
        say(`${rounds} rounds of ${events} events, ${what}, ${connections} connections`);
        const turn = (processes: readonly ServerProcess[]) => () => measure(processes, writeKey, load);
        const turns = await interleave<string, Turn>(
          rounds,
          Object.fromEntries(Object.entries(sides).map(([name, processes]) => [name, turn(processes)])),
        );
        const cpuUsOf = (name: string): number => median(turns[name]!.map(({ cpuUs }) => cpuUs));
        for (const name of Object.keys(sides)) {
          const cpuUs = cpuUsOf(name);
          const goal = batch === goalBatch ? goals[name] : undefined;
          const judged: Judged = goal === undefined ? {} : { goal: `≤ ${goal}`, ok: cpuUs <= goal };
          const ratio = cpuUs / cpuUsOf(floor);
          add(`${name}, ${what}, to reading and parsing`, cpuUs, "µs/event", { ratio, ...judged });
          add(`${name}, ${what}`, median(turns[name]!.map(({ rate }) => rate)), "events/s");
        }
        if (batch !== goalBatch || contents !== "retail") continue;
        const together = median(turns["one process"]!.map(({ batchEvents }) => batchEvents));
        add(`events in a record, ${what}`, together, "events");
        say("the steps alone, in batches as they were");
        const steps = await measureSteps(places, batch, Math.max(1, Math.round(together / batch)));
        tellSteps(cpuUsOf("one process"), cpuUsOf(floor), steps, add);
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  },
} satisfies Bench;

interface Turn {
  cpuUs: number;
  rate: number;
  /** Events that shared a batch, on the average. */
  batchEvents: number;
}

async function measure(
  processes: readonly ServerProcess[],
  writeKey: string,
  { batch, contents, events, connections }: Load,
): Promise<Turn> {
  const bodies = makeBodies(events, batch, contents);
  const { url } = processes[0]!;
  const batchesBefore = await batchesOf(url);
  const before = await cpuMsOf(processes);
  const startedAt = performance.now();
  const accepted = await sendAll(url, writeKey, bodies, connections);
  const wallMs = performance.now() - startedAt;
  if (accepted !== events) throw new Error(`${accepted} of ${events} events were accepted as new`);
  await systemClock.sleep(settleMs);
  const cpuMs = (await cpuMsOf(processes)) - before;
  const batches = (await batchesOf(url)) - batchesBefore;
  return {
    cpuUs: (cpuMs * 1000) / events,
    rate: (events / wallMs) * 1000,
    batchEvents: events / batches,
  };
}

async function cpuMsOf(processes: readonly ServerProcess[]): Promise<number> {
  const each = await Promise.all(processes.map((server) => server.cpuMs()));
  return each.reduce((sum, ms) => sum + ms, 0);
}

// How many batches an edge has made, by its own metrics; the floor makes none.
async function batchesOf(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`).catch(() => undefined);
  const text = response?.status === 200 ? await response.text() : "";
  return Number(/^weir_edge_batch_events(?:_\w+)?_count (\d+)/m.exec(text)?.[1] ?? 0);
}

/** The table of where the time of one process goes; the hop is in two processes alone. */
function tellSteps(totalUs: number, floorUs: number, steps: ReadonlyMap<string, number>, add: Add): void {
  const tell = (name: string, us: number): void =>
    add(`where it goes: ${name}`, us, "µs/event", { ratio: us / totalUs });
  let leftUs = totalUs - floorUs;
  tell(floor, floorUs);
  for (const [name, us] of steps) {
    tell(name, us);
    if (name !== hopStep) leftUs -= us;
  }
  tell("routing, promises, memory", leftUs);
}
