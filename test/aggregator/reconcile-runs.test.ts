// What the proof misses: numbers of a collector that nobody has, and collectors that left a spool behind.
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Consume, startConsume } from "../../aggregator/consume.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { readCollectorConfig } from "../../collector/config.ts";
import { startCollector } from "../../collector/main.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Log, LogReader } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { until } from "../support/until.ts";
import { batchOf } from "./records.ts";
import { closeScene, openScene } from "./scene.ts";

const minutes = 60_000;
const parts = { clock: systemClock, meter: silentMeter, logger: silentLogger };

describe("reconcile", () => {
  const scenes = mkdtempSync(join(tmpdir(), "weir-runs-"));
  let folder: string;
  let store: Store;
  let log: Log;
  let reader: LogReader;
  const running: Consume[] = [];
  beforeAll(async () => {
    store = await openScene(`embedded:${scenes}/postgres`);
  }, minutes);
  afterAll(async () => {
    await closeScene(store);
    rmSync(scenes, { recursive: true, force: true });
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(scenes, "case-"));
    await store.sql`truncate events, ledger, ledger_retransmissions, log_positions, log_holes, fresh_events, stale_days`;
    log = await openLog(`sqlite:${folder}/log.sqlite`, { topic: "events", partitions: 3, allowWeak: true });
    await log.create();
    reader = await log.reader();
  });
  afterEach(async () => {
    for (const one of running.splice(0)) await one.close();
    await reader.close();
  });

  /** A collector takes as many batches, ends, and answers how it was named. */
  const collect = async (batches: number, env: Record<string, string>): Promise<void> => {
    const producer = await log.producer();
    const collector = await startCollector({
      ...{ ...parts, producer, claims: createMemoryClaims({ clock: systemClock }), listen: false },
      config: readCollectorConfig({ env }),
    });
    for (let at = 0; at < batches; at += 1) {
      await collector.port.send(batchOf([{ name: `${env["WEIR_COLLECTOR_NAME"]}-${at}` }]));
    }
    await collector.close();
    await producer.close();
  };
  const written = async (): Promise<void> => {
    running.push(await startConsume({ ...parts, store, consumer: await log.consumer("g") }));
    await until("everything is written", 10_000, async () => (await prove()).in_flight === 0);
  };
  const prove = () => reconcile({ store, reader, silentDays: 14 });
  const inDays = async (days: number): Promise<void> => {
    await store.sql`update ledger set stored_at = stored_at - make_interval(days => ${days})`;
  };

  it("misses the one record of a collector that was taken out of the log", async () => {
    await collect(5, { WEIR_COLLECTOR_NAME: "west" });
    const file = new Database(`${folder}/log.sqlite`);
    const { changes } = file
      .query("delete from records where rowid = (select rowid from records order by time, rowid limit 1)")
      .run();
    file.close();
    expect(changes).toBe(1);
    expect(await prove()).toMatchObject({ ok: false, lost: 1, in_flight: 4, unaccounted: [] });
    await written();
    expect(await prove()).toMatchObject({ ok: false, lost: 1, received: 4, stored: 4 });
  });

  it("counts a run without a spool as over when it ended, however long ago", async () => {
    await collect(3, { WEIR_COLLECTOR_NAME: "west" });
    await written();
    await inDays(400);
    expect(await prove()).toMatchObject({ ok: true, lost: 0, unaccounted: [] });
  });

  it("counts a run with a spool as over that ended with nothing in it", async () => {
    await collect(3, { WEIR_COLLECTOR_NAME: "west", WEIR_SPOOL_DIR: `${folder}/spool` });
    await written();
    await inDays(400);
    expect(await prove()).toMatchObject({ ok: true, received: 3, lost: 0, unaccounted: [] });
  });

  it("names a run with a spool that neither ended nor came back, once it was silent for long", async () => {
    const env = { WEIR_COLLECTOR_NAME: "west", WEIR_SPOOL_DIR: `${folder}/spool` };
    await collect(3, env);
    await written();
    // As if the process had been killed before its last word.
    await store.sql`update ledger set collector_spool = 1 where collector_spool = 2`;
    await inDays(13);
    expect(await prove()).toMatchObject({ ok: true, unaccounted: [] });
    await inDays(2);
    const answer = await prove();
    expect(answer).toMatchObject({ ok: false, lost: 0 });
    expect(answer.unaccounted).toEqual([expect.stringContaining("collector west")]);
    await collect(1, env);
    expect(await prove()).toMatchObject({ ok: true, unaccounted: [] });
  });
});
