// The edge on every runtime: the same answers, the same ids and the same bytes, from real processes.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ClientFacts } from "../../edge/client.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { systemClock } from "../../shared/clock.ts";
import { packBatch, unpackBatch } from "../../shared/wire/batch.ts";
import { keyOf, testEdge } from "../edge/support.ts";
import { describeOn, findDeno, findNode, type Runtime } from "../services/runtimes.ts";
import { ask, cloudflareFacts, lasting, requests, type Told } from "./body.ts";
import {
  type RunningEdge,
  root,
  type StartEdge,
  startOnBun,
  startOnDeno,
  startOnDenoServe,
  startOnNode,
  startOnWorkerd,
  startWorker,
} from "./edges.ts";
import { startUpstream, type Upstream, writeKey } from "./upstream.ts";

const [node, deno] = await Promise.all([findNode(), findDeno()]);

interface Outcome {
  told: Told;
  batches: ReturnType<typeof lasting>[];
}

/** What an edge in this very process makes of the requests: every runtime is held against it. */
async function expected(facts: ClientFacts): Promise<Outcome[]> {
  const keys = fixedKeys([await keyOf(writeKey)]);
  const { app, collector } = await testEdge({ clock: systemClock, keys });
  const outcomes: Outcome[] = [];
  for (const sent of requests) {
    const told = await ask("http://edge", sent, (request) => app.fetch(request, { client: facts }));
    // Through their bytes, as over HTTP.
    const batches = collector.batches.splice(0).map((batch) => lasting(unpackBatch(packBatch(batch))));
    outcomes.push({ told, batches });
  }
  return outcomes;
}

const agent = { device: "server", isBot: false };
const reference = await expected(agent);
const onCloudflare = await expected({ ...agent, ...cloudflareFacts });

it.each(requests.map((sent, index) => [sent.name, sent.status, index] as const))(
  "%s is answered %i",
  (_, status, index) => {
    expect(reference[index]!.told.status).toBe(status);
    expect(reference[index]!.batches).toHaveLength(status === 202 ? 1 : 0);
  },
);

interface Side {
  name: string;
  runtime: Runtime;
  start: StartEdge;
  /** The adapter whose hash is held against the vectors. */
  adapter?: string;
  is?: Outcome[];
}

const sides: readonly Side[] = [
  { name: "Bun", runtime: { path: process.execPath }, start: startOnBun, adapter: "bun" },
  { name: "Node", runtime: node, start: startOnNode, adapter: "node" },
  { name: "Deno", runtime: deno, start: startOnDeno, adapter: "deno" },
  { name: "Deno as Deno Deploy has it", runtime: deno, start: startOnDenoServe },
  { name: "Cloudflare's workerd", runtime: node, start: startOnWorkerd, is: onCloudflare },
];

for (const { name, runtime, start, adapter, is = reference } of sides) {
  describeOn(runtime, `the edge on ${name}`, (path) => {
    let upstream: Upstream;
    let edge: RunningEdge;
    beforeAll(async () => {
      upstream = await startUpstream();
      edge = await start(path, upstream.settings);
    });
    afterAll(async () => {
      await edge?.stop();
      await upstream?.close();
    });

    it.each(requests.map((sent, index) => [sent.name, index] as const))(
      "answers %s, and makes the same bytes of it",
      async (_, index) => {
        const told = await ask(edge.url, requests[index]!, fetch);
        const batches = upstream.batches.splice(0).map(lasting);
        expect({ told, batches }).toEqual(is[index]);
      },
    );

    if (adapter !== undefined) {
      it("holds every vector", async () => {
        const words = adapter === "deno" ? ["run", "--no-check", "--allow-read", "--allow-env"] : [];
        const script = [join(root, "test/runtime/vectors-run.ts"), join(root, `edge/adapter/${adapter}.ts`)];
        const { stdout } = await promisify(execFile)(path, [...words, ...script], { timeout: 60_000 });
        expectHeld(JSON.parse(stdout.trim().split("\n").at(-1)!));
      });
    }
  });
}

describeOn(node, "a Worker of the same sources", (path) => {
  it("holds every vector", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weir-vectors-"));
    const script = join(folder, "worker.js");
    try {
      const entryPoints = [join(root, "test/runtime/vectors-worker.ts")];
      await build({
        entryPoints,
        bundle: true,
        format: "esm",
        outfile: script,
        conditions: ["workerd", "worker", "browser"],
        logLevel: "error",
      });
      const worker = await startWorker(path, {}, { script });
      expectHeld(await (await fetch(worker.url)).json());
      await worker.stop();
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

function expectHeld(found: unknown): void {
  const { checked, wrong } = found as { checked: number; wrong: string[] };
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(100);
}
