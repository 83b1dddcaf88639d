// Folding: each stored event is offered to the models once, whoever folds, and stale days are read anew.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eraseSubject, expireEvents } from "../../../aggregator/lifecycle/remove.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import type { Model } from "../../../aggregator/model/model.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { noon, recordOf, type Sketch } from "../records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "../scene.ts";

const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), "weir-models-"));

describe("a fold", () => {
  let store: Store;
  let hand: Hand;
  let session: Sql;
  let another: Sql;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    hand = await openHand(store);
    [session, another] = [await store.writer(), await store.writer()];
    await store.sql`create table seen (id uuid primary key, project_id text, time timestamptz, person text, number int)`;
  }, 180_000);
  afterAll(async () => {
    await Promise.all([session.end(), another.end()]);
    await hand.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(
    () =>
      store.sql`truncate seen, events, persons, fresh_events, stale_days, row_removals, retained_from, erasures`,
  );

  // The key refuses what is offered twice.
  const seen: Model = {
    name: "seen",
    fold: async (tx) => {
      await tx`
        insert into seen
        select f.id, f.project_id, f.event_time, p.person, f.number
        from weir_fresh f
        left join persons p using (project_id, number)`;
    },
    clear: async (tx, { project, from, to }) => {
      await tx`delete from seen where project_id = ${project} and time >= ${from} and time < ${to}`;
    },
    rows: (tx) => tx`select * from seen`,
  };
  const fold = (idsMax?: number, by = session) => foldStep(by, [seen], idsMax);
  const foldAll = async () => {
    for (;;) {
      const folded = await fold();
      if (folded !== "busy" && folded.events + folded.days === 0) return;
    }
  };
  const names = async () =>
    (await store.sql`select e.event_id, s.person from seen s join events e using (id) order by 1`).map(
      (row) => `${row["event_id"]} ${row["person"]}`,
    );
  let made = 0;
  const some = (count: number, at: number, sketch: Partial<Sketch> = {}): Sketch[] =>
    Array.from({ length: count }, () => {
      made += 1;
      return { name: `e-${made}`, at, ...sketch };
    });

  it("takes what was stored since, the newest days first, and nothing twice", async () => {
    await hand.write(0, recordOf(some(3, noon - 3 * day)), recordOf(some(3, noon)));
    await hand.write(1, recordOf(some(3, noon - day)));
    expect(await fold(3)).toEqual({ events: 3, days: 0 });
    expect(await countRows(store, "seen")).toBe(3);
    const [row] = await store.sql`select min(time) as oldest from seen`;
    expect(row?.["oldest"]).toEqual(new Date(noon));
    expect(await fold()).toEqual({ events: 6, days: 0 });
    expect(await fold()).toEqual({ events: 0, days: 0 });
    expect(await countRows(store, "seen")).toBe(9);
  });

  it("gives each person of a project one number, from 0 on", async () => {
    const people = ["b", "a", "b", "c"].map((user, at) => ({ name: `p-${at}`, fields: { userId: user } }));
    await hand.write(0, recordOf(people), recordOf(people, { project: "q" }));
    await foldAll();
    await hand.write(0, recordOf([{ name: "p-9", fields: { userId: "d" } }]));
    await foldAll();
    const rows = await store.sql`select project_id, number, person from persons order by 1, 2`;
    const of = (project_id: string, ...known: string[]) =>
      known.map((person, number) => ({ project_id, number, person }));
    expect([...rows]).toEqual([...of("p", "a", "b", "c", "d"), ...of("q", "a", "b", "c")]);
    const [unknown] = await store.sql`select count(*)::int as count from seen where number is null`;
    expect(unknown).toEqual({ count: 0 });
  });

  it("is done by one at a time", async () => {
    await hand.write(0, recordOf(some(5, noon)));
    await session.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtextextended(current_schema() || '.models', 0))`;
      expect(await fold(undefined, another)).toBe("busy");
    });
    expect(await fold(undefined, another)).toEqual({ events: 5, days: 0 });
  });

  it("that fails leaves everything as it was", async () => {
    await hand.write(0, recordOf(some(5, noon)));
    const failing: Model = { ...seen, fold: () => Promise.reject(new Error("no")) };
    await expect(foldStep(session, [seen, failing])).rejects.toThrow("no");
    expect(await countRows(store, "seen")).toBe(0);
    await foldAll();
    expect(await countRows(store, "seen")).toBe(5);
  });

  it("reads the days of an erased person anew, and what is stored meanwhile once", async () => {
    const fields = { userId: "gone" };
    await hand.write(0, recordOf([...some(2, noon, { fields }), ...some(2, noon - day, { fields })]));
    await hand.write(0, recordOf(some(2, noon)));
    await foldAll();
    await hand.write(0, recordOf(some(1, noon - day)));
    const erasure = { project: "p", actor: "t", kind: "user_id", id: "gone", until: noon + day } as const;
    await eraseSubject(store, erasure);
    await foldAll();
    expect(await names()).toHaveLength(3);
    expect(await countRows(store, "stale_days")).toBe(0);
    const [row] = await store.sql`select count(*)::int as count from persons where person = 'gone'`;
    expect(row).toEqual({ count: 0 });
  });

  it("keeps what it had of events that expired", async () => {
    await hand.write(0, recordOf(some(2, noon - 5 * day)), recordOf(some(2, noon)));
    await foldAll();
    await expireEvents(store, { project: "p", actor: "t", from: noon - day });
    await foldAll();
    expect(await countRows(store, "events")).toBe(2);
    expect(await countRows(store, "seen")).toBe(4);
  });
});
