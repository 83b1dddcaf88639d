// Chunks as columns (TimescaleDB's community edition): late rows, copies, conflicts and removals are as exact there.
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { eraseSubject } from "../../aggregator/lifecycle/remove.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { foldAll } from "../support/fold-all.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "./scene.ts";

const day = 86_400_000;
const old = noon - 20 * day;
const many = 4_000;

describeWith(["timescale_community"], "events in the columnstore", () => {
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(serviceUrl("timescale_community"));
  }, 120_000);
  afterAll(async () => {
    await hand.close();
    await closeScene(store);
  });
  beforeEach(async () => {
    await hand?.close();
    await store.sql`truncate events, ledger, quarantine, fresh_events, stale_days, persons, row_removals, erasures`;
    hand = await openHand(store);
  });

  const sketch = (at: number, part: Partial<Sketch> = {}): Sketch => ({
    name: `c-${at}`,
    at: old + at * 1_000,
    ...part,
  });
  const range = (from: number, to: number): Sketch[] =>
    Array.from({ length: to - from }, (_, at) => sketch(from + at));
  const writeOld = async (from: number, to: number): Promise<void> => {
    for (let at = from; at < to; at += 500) await hand.write(0, recordOf(range(at, Math.min(to, at + 500))));
  };
  const pack = () =>
    store.sql`select compress_chunk(c, if_not_compressed => true) from show_chunks('events') as c`;
  const packed = async (): Promise<number> => {
    const [row] = await store.sql`
      select count(*)::int as packed from timescaledb_information.chunks
      where hypertable_schema = ${store.schema} and hypertable_name = 'events' and is_compressed`;
    return row!["packed"];
  };

  it("are turned into columns a week after their day, by ids and without segments, however often it is asked for", async () => {
    await migrate(store);
    const jobs = await store.sql`
      select config ->> 'compress_after' as after from timescaledb_information.jobs
      where hypertable_schema = ${store.schema} and hypertable_name = 'events'`;
    expect([...jobs]).toEqual([{ after: "7 days" }]);
    const [settings] = await store.sql`
      select segmentby, orderby from timescaledb_information.hypertable_columnstore_settings
      where hypertable = 'events'::regclass`;
    expect(settings).toMatchObject({ segmentby: "", orderby: expect.stringMatching(/^id/) });
  });

  it("lie in batches larger than the server's own, in every new session of their owner", async () => {
    const session = await store.writer();
    await writeOld(0, many);
    await session`select compress_chunk(c) from show_chunks('events') as c`;
    await session.end();
    const [chunk] = await store.sql`
      select compress_relid::regclass::text as name from _timescaledb_catalog.compression_settings
      where relid in (select show_chunks('events'))`;
    const [largest] = await store.sql.unsafe(`select max(_ts_meta_count) as events from ${chunk!["name"]}`);
    expect(largest!["events"]).toBeGreaterThan(1_000);
  });

  it("take late rows, copies and conflicts in the middle of a batch, each counted as what it is", async () => {
    await writeOld(0, many);
    await pack();
    expect(await packed()).toBeGreaterThan(0);
    // Of each ten: six late, three copies, one with another content.
    const mixed = Array.from({ length: 500 }, (_, at) => {
      if (at % 10 === 4) return sketch(at, { content: "another" });
      return at % 10 < 3 ? sketch(at) : sketch(many + at);
    });
    expect(await hand.write(0, recordOf(mixed))).toMatchObject({
      stored: 300,
      duplicate: 150,
      quarantined: 50,
    });
    expect(await countRows(store, "events")).toBe(many + 300);
    const [twice] = await store.sql`select count(*) - count(distinct id) as twice from events`;
    expect(Number(twice!["twice"])).toBe(0);
    // A further copy of what lies in quarantine is a copy.
    expect(await hand.write(0, recordOf(mixed))).toMatchObject({ stored: 0, duplicate: 500 });
  });

  it("take rows that two writers bring at once a single time", async () => {
    await writeOld(0, many);
    await pack();
    const another = await hand.another();
    await another.take([1]);
    const both = [...range(many - 100, many), ...range(many, many + 400)];
    const answers = await Promise.all([
      hand.write(0, recordOf(both)),
      another.write([hand.slice(1, recordOf(both))]),
    ]);
    const stored = answers.map((answer) => (answer === "known" ? Number.NaN : answer.stored));
    expect(stored[0]! + stored[1]!).toBe(400);
    expect(await countRows(store, "events")).toBe(many + 400);
  });

  it("are removed from it, however many rows their chunk has, and the models follow", async () => {
    await hand.write(0, recordOf([sketch(-1, { fields: { userId: "gone" } })]));
    await writeOld(0, many);
    await foldAll(store);
    await pack();
    const admin = await store.writer();
    await admin.unsafe(
      `alter role current_user set timescaledb.max_tuples_decompressed_per_dml_transaction = 1000`,
    );
    try {
      const erasure = { project: "p", actor: "t", kind: "user_id", id: "gone", until: noon } as const;
      expect(await eraseSubject(store, erasure)).toMatchObject({ rows: 1 });
    } finally {
      await admin.unsafe(
        `alter role current_user reset timescaledb.max_tuples_decompressed_per_dml_transaction`,
      );
      await admin.end();
    }
    await foldAll(store);
    const [row] = await store.sql`select sum(events)::int as events from quarter_counts`;
    expect(row).toEqual({ events: many });
  }, 120_000);
});
