// Chunks and partitions that removals have emptied are dropped, on every flavour, and never one with a row.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dropEmpty } from "../../aggregator/lifecycle/chunks.ts";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { manualClock } from "../support/clock.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "./scene.ts";

const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), "weir-empty-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("on plain PostgreSQL", () => suite(() => `embedded:${folder}/postgres`));
describeWith(["timescale"], "on TimescaleDB's Apache edition", () => suite(() => serviceUrl("timescale")));
describeWith(["timescale_community"], "on TimescaleDB's community edition", () =>
  suite(() => serviceUrl("timescale_community")),
);

function suite(url: () => string): void {
  let store: Store;
  let hand: Hand;
  const clock = manualClock(noon + day);
  beforeAll(async () => {
    store = await openScene(url());
  }, 120_000);
  afterAll(async () => {
    await hand.close();
    await closeScene(store);
  });
  beforeEach(async () => {
    await hand?.close();
    await store.sql`truncate events, ledger, fresh_events, stale_days, row_removals, retained_from, erasures`;
    hand = await openHand(store);
  });

  const at = (age: number, name = `e-${age}`): Sketch => ({ name, at: noon - age * day });
  // Ages in days; each lies in a month of its own, or is of this one.
  const ages = [-1, 0, 70, 140, 210];
  const parts = async (): Promise<number> => {
    const [row] =
      store.flavour === "postgresql"
        ? await store.sql`select count(*)::int as parts from pg_inherits where inhparent = 'events'::regclass`
        : await store.sql`select count(*)::int as parts from show_chunks('events')`;
    return row!["parts"];
  };
  const expire = (project: string, age: number) =>
    expireEvents(store, { project, actor: "t", from: noon - age * day });

  it("go when their last row has gone, and not before", async () => {
    await hand.write(0, recordOf(ages.map((age) => at(age))));
    await hand.write(0, recordOf([at(140, "q")], { project: "q" }));
    if (store.flavour === "timescale-community") {
      await store.sql`select compress_chunk(c) from show_chunks('events', older_than => interval '7 days') as c`;
    }
    const before = await parts();
    expect(await dropEmpty(store, clock)).toBe(0);
    await expire("p", 100);
    expect(await dropEmpty(store, clock)).toBe(1);
    expect(await dropEmpty(store, clock)).toBe(0);
    const erasure = { project: "q", actor: "t", kind: "user_id", id: "u-1", until: noon } as const;
    await eraseSubject(store, erasure);
    expect(await dropEmpty(store, clock)).toBe(1);
    expect(await parts()).toBe(before - 2);
    expect(await countRows(store, "events")).toBe(3);
  });

  it("stay where they are of today, of the future, or reach into them", async () => {
    await hand.write(0, recordOf([at(-1), at(-2)]));
    const before = await parts();
    await store.sql`delete from events`;
    await store.sql`
      insert into row_removals (project_id, day, reason, removed)
      select 'p', day, 'erased', 1 from generate_series(${new Date(noon)}::date, ${new Date(noon + 9 * day)}::date, '1 day') as day`;
    expect(await dropEmpty(store, clock)).toBe(0);
    expect(await parts()).toBe(before);
  });

  it("are made again for what comes late, by writers that knew them", async () => {
    await hand.write(0, recordOf(ages.map((age) => at(age))));
    await expire("p", 100);
    expect(await dropEmpty(store, clock)).toBe(2);
    expect(await hand.write(0, recordOf([at(210)]))).toMatchObject({ stored: 0, quarantined: 0 });
    const late = recordOf([at(210, "r-1"), at(140, "r-2")], { project: "r" });
    expect(await hand.write(0, late)).toMatchObject({ stored: 2, quarantined: 0 });
    expect(await countRows(store, "events")).toBe(5);
  });

  it("lose no row that is written while many would drop them", async () => {
    const stores = await Promise.all(
      [1, 2, 3].map(() => openStore(url(), { schema: store.schema, dataDir: "" })),
    );
    try {
      for (let round = 0; round < 5; round += 1) {
        await hand.write(0, recordOf([at(70, `gone-${round}`)], { project: `p-${round}` }));
        await expire(`p-${round}`, 60);
        const write = async (number: number): Promise<void> => {
          // As the aggregator does, until it is written.
          const slice = hand.slice(1, recordOf([at(70, `kept-${round}-${number}`)], { project: "k" }));
          for (;;) if (await hand.writer.write([slice]).catch(() => undefined)) return;
        };
        const writing = (async () => {
          for (let number = 0; number < 5; number += 1) await write(number);
        })();
        await Promise.all([writing, ...stores.map((one) => dropEmpty(one, clock))]);
        expect(await countRows(store, "events")).toBe(5);
        await store.sql`delete from events`;
      }
    } finally {
      await Promise.all(stores.map((one) => one.close()));
    }
  }, 120_000);
}
