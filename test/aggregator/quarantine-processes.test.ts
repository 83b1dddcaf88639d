// A retry asked of an aggregator that is a process of its own: it goes by the collector's door, signed as an edge's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openProcesses, type Station } from "../support/processes.ts";
import { until } from "../support/until.ts";

const minutes = 3 * 60_000;
const folder = mkdtempSync(join(tmpdir(), "weir-quarantine-processes-"));
const processes = openProcesses();
const settings = {
  WEIR_DATA_DIR: join(folder, "data"),
  WEIR_EDGE_SECRET: "a secret of the tests alone",
};
let aggregator: Station;
let edge: Station;
let key: string;

beforeAll(async () => {
  expect(await processes.run(["migrate", "--json"], settings)).toMatchObject({ code: 0 });
  const made = await processes.run(["keys", "create", "--project", "p", "--json"], settings);
  key = String(made.result["key"]);
  const collector = await processes.start("collector", settings);
  const hops = { ...settings, WEIR_COLLECTOR_URL: collector.url };
  aggregator = await processes.start("aggregator", hops);
  edge = await processes.start("edge", { ...hops, WEIR_KEYS_URL: aggregator.url });
}, minutes);
afterAll(async () => {
  await processes.close();
  rmSync(folder, { recursive: true, force: true });
}, minutes);

const get = async (path: string) =>
  (await (await fetch(new URL(path, aggregator.url))).json()) as { data: Record<string, unknown>[] };

it(
  "stores a conflict as new, and the books close",
  async () => {
    const timestamp = new Date().toISOString();
    for (const v of [1, 2]) {
      const response = await fetch(new URL("/v1/events", edge.url), {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({ event_id: "same", type: "t", user_id: "u", timestamp, payload: { v } }),
      });
      expect(response.status).toBe(202);
    }
    let ids: unknown[] = [];
    await until("the conflict is kept", 30_000, async () => {
      ids = (await get("/v1/quarantine?reason=conflict")).data.map((row) => row["id"]);
      return ids.length === 1;
    });
    const response = await fetch(new URL("/v1/quarantine/retry", aggregator.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ids, as_new: true }),
    });
    expect(await response.json()).toMatchObject({ ok: true, sent: 1, stored: 1, pending: 0 });
    const { data } = await get("/v1/reconcile");
    expect(data[0]).toMatchObject({ ok: true, received: 3, stored: 2, quarantined: 1 });
    const listed = await processes.run(["quarantine", "list", "--json"], settings);
    expect(listed.result["sums"]).toEqual([{ reason: "conflict", status: "retried", events: 1 }]);
  },
  minutes,
);
