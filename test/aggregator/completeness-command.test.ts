// What `weir completeness` and /v1/completeness answer, from events as a client sends them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askCompleteness } from "../../aggregator/read/completeness.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createAccept } from "../../edge/accept.ts";
import { hash } from "../../edge/adapter/bun.ts";
import { native } from "../../edge/dialect/native.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { packRecord } from "../../shared/wire/record.ts";
import { openProcesses } from "../support/processes.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

describe("weir completeness", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-completeness-command-"));
  const url = `embedded:${folder}/postgres`;
  const processes = openProcesses();
  let store: Store;
  const weir = (...words: string[]) => {
    const settings = { WEIR_STORE_URL: url, WEIR_STORE_SCHEMA: store.schema, WEIR_DATA_DIR: folder };
    return processes.run(["completeness", ...words], settings);
  };
  beforeAll(async () => {
    store = await openScene(url);
    const at = (day: number) => new Date(Date.UTC(2026, 6, day)).toISOString();
    const seen = (stream_id: string, seq: number, context: object, day: number) => ({
      type: "page_view",
      anonymous_id: "a",
      stream_id,
      seq,
      timestamp: at(day),
      context,
    });
    const [one, two] = [{ app_version: "1.0", country: "DE", browser: "Firefox" }, { app_version: "2.0" }];
    await send(store, "shop", [
      ...[1, 2, 5, 9].map((seq) => seen("s-1", seq, one, 1)),
      // Seven and eight were given up by the client itself.
      seen("s-1", 10, { ...one, lost: 2 }, 1),
      ...[1, 2, 3].map((seq) => seen("s-2", seq, two, 5)),
      // Refused, and yet received: no hole.
      { ...seen("s-2", 4, two, 5), type: 7 },
      { type: "page_view", anonymous_id: "a", timestamp: at(5) },
    ]);
    await send(store, "blog", [seen("s-3", 0, {}, 9), seen("s-3", 2, {}, 9)]);
  }, 120_000);
  afterAll(async () => {
    await processes.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  const answered = async (query: Record<string, string>) => {
    const given = Object.entries(query).map(([name, value]) => [name, [value]]);
    return await askCompleteness(store.sql, Object.fromEntries(given));
  };
  const ask = async (query: Record<string, string>) => (await answered(query)).data;

  it("counts the numbers of all streams", async () => {
    const total = { streams: 3, expected: 17, seen: 11, declared_lost: 2, gap: 4, completeness: 11 / 17 };
    expect(await ask({})).toEqual([total]);
    expect(await weir("--json")).toMatchObject({ code: 0, result: { ok: false, ...total } });
    const said = "3 streams, expected 17 = seen 11 + declared lost 2 + gap 4, 64.70 % complete";
    expect((await weir("--fail-on-gap")).said).toContain(said);
    expect((await weir("--fail-on-gap")).code).toBe(1);
    expect((await weir("--project", "nobody", "--fail-on-gap")).code).toBe(0);
  }, 60_000);

  it("tells them by version, country, browser and project", async () => {
    const first = { streams: 1, expected: 10, seen: 5, declared_lost: 2, gap: 3, completeness: 0.5 };
    const second = { streams: 1, expected: 4, seen: 4, declared_lost: 0, gap: 0, completeness: 1 };
    const third = { streams: 1, expected: 3, seen: 2, declared_lost: 0, gap: 1, completeness: 2 / 3 };
    expect(await ask({ by: "app_version" })).toEqual([
      { app_version: "1.0", ...first },
      { app_version: "2.0", ...second },
      { app_version: null, ...third },
    ]);
    expect(await ask({ by: "browser", project: "shop" })).toEqual([
      { browser: "Firefox", ...first },
      { browser: null, ...second },
    ]);
    expect((await ask({ by: "country" })).map((row) => row["country"])).toEqual(["DE", null]);
    expect((await ask({ by: "project" })).map((row) => [row["project"], row["gap"]])).toEqual([
      ["blog", 1],
      ["shop", 3],
    ]);
    const { result } = await weir("--by", "app_version", "--json");
    expect(result).toMatchObject({
      by: "app_version",
      gap: 4,
      rows: [{ app_version: "1.0", gap: 3 }, {}, {}],
    });
  }, 60_000);

  it("takes the streams that were seen in a span", async () => {
    expect(await ask({ from: "2026-07-05", to: "2026-07-05" })).toMatchObject([{ streams: 1, expected: 4 }]);
    expect(await ask({ to: "2026-07-04" })).toMatchObject([{ streams: 1, expected: 10 }]);
    expect(await ask({ from: "2026-07-10" })).toMatchObject([{ streams: 0, completeness: null }]);
  });

  it("lists what each stream misses, page by page", async () => {
    const { data, meta } = await answered({ by: "stream", limit: "1" });
    const [first] = data;
    expect(first).toMatchObject({
      project: "blog",
      stream_id: "s-3",
      gap: 1,
      missing: "1",
      missing_ranges: 1,
    });
    expect(await ask({ by: "stream", cursor: meta.next_cursor! })).toMatchObject([
      { project: "shop", stream_id: "s-1", gap: 3, declared_lost: 2, missing: "3-4, 6-8", missing_ranges: 2 },
    ]);
    const page = await weir("--gaps", "--limit", "1", "--json");
    const rest = await weir("--gaps", "--cursor", String(page.result["next"]), "--json");
    expect(rest.result).toMatchObject({ next: null, rows: [{ stream_id: "s-1" }] });
    expect((await weir("--gaps")).said).toMatch(/shop +s-1 +3 +3-4, 6-8/);
  }, 60_000);

  it("refuses what it does not know", async () => {
    expect(await weir("--by", "nothing")).toMatchObject({ code: 2 });
    expect(await weir("--limit", "3")).toMatchObject({ code: 2 });
    expect(await weir("--gaps", "--cursor", "!")).toMatchObject({ code: 2 });
    expect(await weir("--from", "yesterday")).toMatchObject({ code: 2 });
  }, 60_000);
});

// Through the edge's own steps to a record, and from there into the store.
async function send(store: Store, project: string, events: readonly unknown[]): Promise<void> {
  const records: Uint8Array[] = [];
  const accept = createAccept({
    name: "edge",
    clock: systemClock,
    hash,
    meter: silentMeter,
    logger: silentLogger,
    collector: {
      async send(batch) {
        const outcomes = new Uint8Array(batch.count);
        for (const { index } of batch.refusals) outcomes[index] = outcome.refused;
        const receipt = { collector: "test", start: 1, number: records.length, lowestOpen: 0, givenUp: [] };
        records.push(Uint8Array.from(packRecord(batch, outcomes, receipt)));
        return { batchId: batch.batchId, outcomes };
      },
      ready: async () => {},
      close: async () => {},
    },
  });
  await accept.submit({
    project,
    rights: ["historical"],
    dialect: native,
    events,
    original: (index) => new TextEncoder().encode(JSON.stringify(events[index])),
    receivedAt: Date.UTC(2026, 6, 9),
  });
  const hand = await openHand(store, 1);
  await hand.write(0, ...records);
  await hand.close();
}
