// The edge on its four runtimes, forwarding: processor time an event, against a bare JSON.parse of the same body
// and a handler that only passes it on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import {
  type RunningEdge,
  root,
  spawned,
  startOnBun,
  startOnDeno,
  startOnNode,
  startWorker,
} from "../runtime/edges.ts";
import { startUpstream, type Upstream, writeKey } from "../runtime/upstream.ts";
import { findDeno, findNode } from "../services/runtimes.ts";
import { type Bench, interleave, median, ratioOf } from "./bench.ts";
import { makeBodies, sendAll } from "./http-load.ts";
import type { PlainPart } from "./plain-edge.ts";

const loads = [
  { batch: 1, events: 1_000, connections: 16 },
  { batch: 20, events: 10_000, connections: 16 },
  { batch: 100, events: 40_000, connections: 8 },
] as const;
/** µs an event on Bun at 100 a request. */
const goalUs = 10;
const parts: readonly PlainPart[] = ["parse", "forward"];

export default {
  name: "runtimes",
  needs: [],
  async run({ add, say, isLong }) {
    const upstream = await startUpstream();
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const running: RunningEdge[] = [];
    try {
      for (const [runtime, begin] of await runtimes(upstream, folder, say)) {
        const sides: Record<string, RunningEdge> = {};
        for (const part of ["edge", ...parts] as const) {
          sides[part] = await begin(part);
          running.push(sides[part]);
        }
        for (const { batch, events, connections } of loads) {
          say(`${runtime}: ${events} events, ${batch} a request`);
          const turns = Object.entries(sides).map(([name, edge]) => [
            name,
            () => measure(edge, upstream, makeBodies(events, batch, "small"), connections, events),
          ]);
          const us = await interleave<string>(isLong ? 8 : 2, Object.fromEntries(turns));
          const edgeUs = median(us["edge"]!);
          const isJudged = runtime === "Bun" && batch === 100;
          const what = `${runtime}, ${batch} a request`;
          add(`${what}, to JSON.parse`, edgeUs, "µs/event", {
            ratio: ratioOf(us["edge"]!, us["parse"]!),
            ...(isJudged ? { goal: `≤ ${goalUs}`, ok: edgeUs <= goalUs } : {}),
          });
          add(`${what}, to passing on`, edgeUs, "µs/event", { ratio: ratioOf(us["edge"]!, us["forward"]!) });
        }
        await Promise.all(running.splice(0).map((edge) => edge.kill()));
      }
    } finally {
      await Promise.all(running.map((edge) => edge.kill()));
      await upstream.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

async function measure(
  edge: RunningEdge,
  upstream: Upstream,
  bodies: Uint8Array[],
  connections: number,
  events: number,
): Promise<number> {
  const before = edge.cpuMs();
  const accepted = await sendAll(edge.url, writeKey, bodies, connections);
  if (accepted !== events) throw new Error(`${accepted} of ${events} events were accepted as new`);
  upstream.batches.length = 0;
  return ((edge.cpuMs() - before) * 1000) / events;
}

type Begin = (part: "edge" | PlainPart) => Promise<RunningEdge>;

async function runtimes(
  upstream: Upstream,
  folder: string,
  say: (text: string) => void,
): Promise<[string, Begin][]> {
  const [node, deno] = await Promise.all([findNode(), findDeno()]);
  for (const one of [node, deno]) if ("missing" in one) say(`NOT RUN: ${one.missing}`);
  const settings = { ...upstream.settings, WEIR_RATE_EVENTS_PER_SECOND: "1e9" };
  const plain = (program: string, words: string[], adapter: string, part: PlainPart) =>
    spawned(
      program,
      [
        ...words,
        join(root, "test/bench/plain-server.ts"),
        join(root, `edge/adapter/${adapter}.ts`),
        part,
        upstream.url,
      ],
      {},
    );
  const found: [string, Begin][] = [
    [
      "Bun",
      (part) =>
        part === "edge" ? startOnBun(process.execPath, settings) : plain(process.execPath, [], "bun", part),
    ],
  ];
  if ("path" in node) {
    found.push([
      "Node",
      (part) => (part === "edge" ? startOnNode(node.path, settings) : plain(node.path, [], "node", part)),
    ]);
  }
  if ("path" in deno) {
    const words = ["run", "--no-check", "--allow-net", "--allow-env", "--allow-read"];
    found.push([
      "Deno",
      (part) => (part === "edge" ? startOnDeno(deno.path, settings) : plain(deno.path, words, "deno", part)),
    ]);
  }
  if ("path" in node) {
    const script = join(folder, "plain.js");
    const entryPoints = [join(root, "test/bench/plain-worker.ts")];
    await build({ entryPoints, bundle: true, format: "esm", outfile: script, logLevel: "error" });
    found.push([
      "workerd",
      (part) =>
        part === "edge"
          ? startWorker(node.path, settings)
          : startWorker(node.path, { PART: part, UPSTREAM: upstream.url }, { script }),
    ]);
  }
  return found;
}
