// The loop that folds: it follows what is stored, and its end waits for nobody who holds a row.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startModelFolding } from "../../../aggregator/model/folding.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { until } from "../../support/until.ts";
import { recordOf } from "../records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "../scene.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-folding-"));

describe("folding", () => {
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    hand = await openHand(store);
  }, 120_000);
  afterAll(async () => {
    await hand.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = () => startModelFolding({ store, clock: systemClock, logger: silentLogger });
  const waiting = () => countRows(store, "fresh_events");

  it("follows what is stored", async () => {
    const folding = start();
    await hand.write(0, recordOf([{ name: "a" }]));
    await until("it is folded", 20_000, async () => (await waiting()) === 0);
    await folding.close();
    expect(await countRows(store, "quarter_counts")).toBe(1);
  });

  it("ends while a step is held up, which is done by the next one to fold", async () => {
    await hand.write(0, recordOf([{ name: "b" }]));
    const holder = await store.writer();
    await holder.begin(async (tx) => {
      await tx`lock table quarter_counts in access exclusive mode`;
      const folding = start();
      await until("it is held up", 20_000, async () => {
        const held = await store.sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'`;
        return held.length > 0;
      });
      await folding.close();
    });
    await holder.end();
    expect(await waiting()).toBe(1);
    const next = start();
    await until("it is folded", 20_000, async () => (await waiting()) === 0);
    await next.close();
    const [row] = await store.sql`select sum(events)::int as events from quarter_counts`;
    expect(row).toEqual({ events: 2 });
  });
});
