// Retention by days: whole days go from every project, are counted as gone, and stay out.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { retain, startRetention } from "../../aggregator/lifecycle/retention.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { silentLogger } from "../../shared/logger.ts";
import { manualClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, countRows, type Hand, ledgerSums, openHand, openScene } from "./scene.ts";

const day = 86_400_000;

describe("retention by days", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-retention-"));
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
  }, 120_000);
  afterAll(async () => {
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await store.sql`truncate events, ledger, fresh_events, stale_days, row_removals, retained_from, audit`;
    hand = await openHand(store);
    const ages = [0, 1, 2, 3, 10];
    const events = ages.map((age) => ({ name: `e-${age}`, at: noon - age * day }));
    await hand.write(0, recordOf(events), recordOf(events, { project: "q" }));
  });
  afterEach(() => hand.close());

  const parts = (days: number) => ({ store, clock: manualClock(noon), logger: silentLogger, days });
  const names = async (project: string): Promise<string[]> =>
    (await store.sql`select event_id from events where project_id = ${project} order by 1`).map((row) =>
      String(row["event_id"]),
    );

  it("removes whole days of every project, once, and tells the audit who did", async () => {
    expect(await retain(parts(2))).toBe(4);
    for (const project of ["p", "q"]) expect(await names(project)).toEqual(["e-0", "e-1", "e-2"]);
    expect(await retain(parts(2))).toBe(0);
    const said = await store.sql`select action, actor, project_id from audit order by project_id`;
    const one = { action: "expire", actor: "retention" };
    expect([...said]).toEqual([
      { ...one, project_id: "p" },
      { ...one, project_id: "q" },
    ]);
    const [gone] =
      await store.sql`select sum(removed)::int as removed from row_removals where reason = 'expired'`;
    expect(gone).toEqual({ removed: 4 });
  });

  it("keeps later copies of what went out, and counts them", async () => {
    await retain(parts(2));
    const again = await hand.write(0, recordOf([{ name: "e-10", at: noon - 10 * day }]));
    expect(again).toMatchObject({ stored: 0 });
    expect(await ledgerSums(store, hand.identity)).toMatchObject({ received: 11, stored: 10, expired: 1 });
    expect(await countRows(store, "events")).toBe(6);
  });

  it("begins by itself where days are set, and not where they are not", async () => {
    const clock = manualClock(noon);
    const off = startRetention({ ...parts(0), clock });
    await clock.advance(3_600_000);
    expect(await countRows(store, "events")).toBe(10);
    await off.close();
    const on = startRetention({ ...parts(2), clock, everyMs: 1_000 });
    await clock.advance(1_000);
    await until("old days are gone", 10_000, async () => (await countRows(store, "events")) === 6);
    const closed = on.close();
    await clock.advance(1_000);
    await closed;
  });
});
