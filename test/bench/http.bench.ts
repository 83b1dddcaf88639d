// From an HTTP request to the log's acknowledgement, dedup on: processor time an event, and events a second.
import { systemClock } from "../../shared/clock.ts";
import { openLog } from "../../shared/log/open.ts";
import { serviceUrl } from "../support/services.ts";
import { type Bench, interleave, type Judged, linesOf, median } from "./bench.ts";
import { makeBodies, type ServerProcess, sendAll, startServer } from "./http-load.ts";
import type { ServerPart } from "./http-server.ts";
import { measureSteps } from "./http-steps.ts";

const rounds = 4;
/** Events a request, events a turn, and connections: about a second for the slowest side of each. */
const loads = [
  { batch: 1, events: 8_000, connections: 64 },
  { batch: 20, events: 40_000, connections: 32 },
  { batch: 100, events: 100_000, connections: 16 },
] as const;
const goals: Readonly<Record<string, number>> = { "one process": 10, "two processes": 17 };
const goalBatch = 100;
/** The claims are settled behind the answer; what that takes belongs to the turn. */
const settleMs = 50;

export default {
  name: "http",
  needs: ["redis", "kafka"],
  async run({ say }) {
    const { lines, add } = linesOf("http");
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
      const floor = "reading and JSON.parse alone";
      for (const { batch, events, connections } of loads) {
        say(`${rounds} rounds of ${events} events, ${batch} a request, ${connections} connections`);
        const turn = (processes: readonly ServerProcess[]) => async (): Promise<Turn> =>
          await measure(processes, writeKey, makeBodies(events, batch), events, connections);
        const turns = await interleave<string, Turn>(
          rounds,
          Object.fromEntries(Object.entries(sides).map(([name, processes]) => [name, turn(processes)])),
        );
        for (const [name, taken] of Object.entries(turns)) {
          const cpuUs = median(taken.map((one) => one.cpuUs));
          const goal = batch === goalBatch ? goals[name] : undefined;
          const judged: Judged = goal === undefined ? {} : { goal: `≤ ${goal}`, ok: cpuUs <= goal };
          const ratio = cpuUs / median(turns[floor]!.map((one) => one.cpuUs));
          add(`${name}, ${batch} a request, to the floor`, cpuUs, "µs/event", { ratio, ...judged });
          add(`${name}, ${batch} a request`, median(taken.map((one) => one.rate)), "events/s");
        }
        if (batch !== goalBatch) continue;
        const [one, bare] = ["one process", floor].map((name) => turns[name]!);
        const total = median(one!.map(({ cpuUs }) => cpuUs));
        const together = median(one!.map(({ batchEvents }) => batchEvents));
        add("events in a record, 100 a request", together, "events");
        say(`the steps alone, in batches of ${Math.round(together / batch) * batch}`);
        const steps = await measureSteps(places, batch, Math.max(1, Math.round(together / batch)));
        const http = median(bare!.map(({ cpuUs }) => cpuUs)) - steps.get("JSON.parse alone")!;
        add("where it goes: HTTP, floor without JSON.parse", http, "µs/event", { ratio: http / total });
        for (const [name, us] of steps) add(`where it goes: ${name}`, us, "µs/event", { ratio: us / total });
        const rest = total - http - accounted(steps);
        add("where it goes: routing, promises, memory", rest, "µs/event", { ratio: rest / total });
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
    return lines;
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
  bodies: readonly Uint8Array[],
  events: number,
  connections: number,
): Promise<Turn> {
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

// JSON.parse is in decode already, and the hop is not in one process.
function accounted(steps: ReadonlyMap<string, number>): number {
  const inOne = [...steps].filter(([name]) => !/^(JSON|hop)/.test(name));
  return inOne.reduce((sum, [, us]) => sum + us, 0);
}
