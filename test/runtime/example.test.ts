// The example of a site's Worker, in local development beside an edge: each page view is counted once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { describeOn, findNode } from "../services/runtimes.ts";
import { until } from "../support/until.ts";
import { type RunningEdge, startOnBun, startWorker, wrangler } from "./edges.ts";
import { startUpstream, type Upstream, writeKey } from "./upstream.ts";

describeOn(await findNode(), "the example Worker in local development", (node) => {
  const folder = mkdtempSync(join(tmpdir(), "weir-example-"));
  let upstream: Upstream;
  const running: RunningEdge[] = [];
  let site: RunningEdge;
  beforeAll(async () => {
    upstream = await startUpstream();
    const edge = await startOnBun(process.execPath, upstream.settings);
    running.push(edge);
    wrangler(["deploy", "--dry-run", "--config", "edge/examples/worker/wrangler.jsonc", "--outdir", folder]);
    const bindings = { WEIR_URL: edge.url, WEIR_WRITE_KEY: writeKey };
    site = await startWorker(node, bindings, { script: join(folder, "worker.js") });
    running.push(site);
  });
  afterAll(async () => {
    for (const one of running) await one.kill();
    await upstream?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const paths = (): string[] =>
    upstream.batches.flatMap((batch) => {
      let at = 0;
      return batch.sizes.map((size) => {
        const event = unpackEvent(batch.bodies.subarray(at, at + size));
        at += size;
        return (JSON.parse(event.payload) as { path: string }).path;
      });
    });

  it("counts each page once, and lets nobody wait for it", async () => {
    const asked = Array.from({ length: 10 }, (_, index) => `/page-${index}`);
    for (const path of asked) {
      const response = await fetch(site.url + path);
      expect([response.status, await response.text()]).toEqual([200, "<h1>Hello</h1>"]);
    }
    await until("all are counted", 20_000, () => paths().length >= asked.length);
    expect(paths().sort()).toEqual(asked);
  });

  it("tries again while the edge cannot take it", async () => {
    upstream.batches.length = 0;
    upstream.isDown = true;
    await fetch(`${site.url}/later`);
    await until("it is turned away", 20_000, () => upstream.turnedAway > 0);
    upstream.isDown = false;
    await until("it is counted", 20_000, () => paths().length > 0);
    expect(paths()).toEqual(["/later"]);
  }, 40_000);
});
