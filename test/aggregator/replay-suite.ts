// What a replay promises, on whichever store it reads and writes.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FencedError } from "../../aggregator/fence.ts";
import { copyStore } from "../../aggregator/replay/copy-store.ts";
import type { ReplayAnswer } from "../../aggregator/replay/replay.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { nextBatchId, noon, recordOf, type Sketch } from "./records.ts";
import { openReplayScene, type ReplayScene } from "./replay-scene.ts";
import { countRows } from "./scene.ts";

const minute = 60_000;
const many = (from: number, to: number, more: Partial<Sketch> = {}): Sketch[] =>
  Array.from({ length: to - from }, (_, at) => ({ name: `e-${from + at}`, at: noon + from + at, ...more }));
const received = (at: number) => ({ receivedAt: noon + at });

export function replaySuite(title: string, url: () => string): void {
  describe(`a replay on ${title}`, () => {
    let scene: ReplayScene;
    beforeEach(async () => {
      scene = await openReplayScene(url());
    });
    afterEach(() => scene.close());

    const rowsOf = async (store: Store, what: string) => [...(await store.sql.unsafe(what))];

    it("makes every table anew, and says by which sums it is equal", async () => {
      await fill(scene);
      const into = await scene.empty();
      const answer = await scene.replay(into);
      expect(differing(answer)).toEqual([]);
      expect(answer).toMatchObject({ ok: true, way: "rebuild", equal: true, missing: [], records: 13 });
      const rows = new Map(answer.tables.map(({ table, rows }) => [table, rows.into]));
      for (const table of [
        "events",
        "ledger",
        "quarantine",
        "moved_events",
        "quarantined_records",
        "write_keys",
      ])
        expect([table, rows.get(table)! > 0]).toEqual([table, true]);
      expect(await countRows(into, "row_restorations")).toBe(0);
    });

    it("is seen to differ by one column of one row", async () => {
      await fill(scene);
      await scene.live.sql`
        update events set received_at = received_at + interval '1 ms'
        where id = (select id from events where event_id = 'e-3')`;
      const answer = await scene.replay(await scene.empty());
      expect(differing(answer)).toEqual(["events"]);
      expect(answer).toMatchObject({ ok: false, equal: false });
    });

    it("stores of two copies the one that the live store has, whichever partition came first", async () => {
      await scene.publish(0, recordOf(many(0, 3), received(1)), recordOf(many(3, 6), received(2)));
      await scene.publish(1, recordOf(many(0, 3), received(3)), recordOf(many(3, 6), received(4)));
      await scene.publish(2, recordOf(many(2, 4, { content: "other" }), received(5)));
      await scene.publish(1, recordOf(many(2, 4, { content: "other" }), received(6)));
      // Received in the same millisecond: only what the edge added tells them apart.
      const tied = (clockOffsetMs: number) =>
        recordOf(many(20, 23, { fields: { clockOffsetMs } }), received(7));
      await scene.publish(0, tied(1));
      await scene.publish(2, tied(2));
      await scene.write([[1, 1]]);
      // Within one transaction, in an order of its own.
      await scene.write([
        [2, 2],
        [1, 2],
        [0, 3],
      ]);
      const answer = await scene.replay(await scene.empty());
      expect(differing(answer)).toEqual([]);
      expect(await rowsOf(scene.live, "select reason from quarantine")).toHaveLength(2);
    });

    it("lets a transaction that began later and stored first be first", async () => {
      await scene.publish(0, recordOf(many(0, 5), received(1)), recordOf(many(9, 12), received(7)));
      await scene.publish(1, recordOf(many(3, 8), received(2)), recordOf(many(9, 12), received(8)));
      const other = await scene.another();
      await other.take([1]);
      const held = Promise.withResolvers<void>();
      const isHeld = Promise.withResolvers<void>();
      const holder = scene.live.sql.begin(async (tx) => {
        await tx`select 1 from log_positions where partition = 0 for update`;
        isHeld.resolve();
        await held.promise;
      });
      await isHeld.promise;
      const first = scene.write([[0, 1]]);
      await expect
        .poll(async () => (await rowsOf(scene.live, waiting)).length, { timeout: 5_000 })
        .toBeGreaterThan(0);
      await scene.write([[1, 1]], other);
      held.resolve();
      await Promise.all([holder, first]);
      await scene.write([[1, 1]], other);
      await scene.write([[0, 1]]);
      expect(await rowsOf(scene.live, "select stored from ledger order by stored_at")).toEqual([
        { stored: 3 },
        { stored: 5 },
        { stored: 3 },
        { stored: 0 },
      ]);
      expect(differing(await scene.replay(await scene.empty()))).toEqual([]);
    });

    it("ends where the live store stands, and goes on where it was left", async () => {
      await scene.publish(0, ...Array.from({ length: 6 }, (_, at) => recordOf(many(at * 2, at * 2 + 3))));
      await scene.write([[0, 2]]);
      const into = await scene.empty();
      expect(await scene.replay(into)).toMatchObject({ equal: true, records: 2 });
      await scene.write([[0, 3]]);
      expect(await scene.replay(into)).toMatchObject({ equal: true, records: 3 });
      expect(await rowsOf(into, "select next_offset::int from log_positions where partition = 0")).toEqual([
        { next_offset: 5 },
      ]);
    });

    it("lists what the log holds no more, and is not fine", async () => {
      await scene.publish(0, ...Array.from({ length: 4 }, (_, at) => recordOf(many(at, at + 1))));
      await scene.publish(1, recordOf(many(7, 9)));
      await scene.write([
        [0, 4],
        [1, 1],
      ]);
      scene.forget(0, 3n);
      scene.forget(1, 1n);
      const answer = await scene.replay(await scene.empty());
      expect(answer).toMatchObject({ ok: false, equal: false, records: 1 });
      expect(answer.missing).toEqual([
        { partition: 0, from: "0", to: "3" },
        { partition: 1, from: "0", to: "1" },
      ]);
    });

    it("refuses a store that somebody else has written", async () => {
      await fill(scene);
      const into = await scene.empty();
      await into.sql`
        insert into events (id, event_time, received_at, fingerprint, version, flags, identity, project_id, type,
          payload, context, metadata)
        select id, event_time, received_at, fingerprint, version, flags, identity, project_id, type, payload,
          context, metadata
        from ${into.sql(scene.live.schema)}.events where false`;
      await scene.replay(into);
      await into.sql`delete from replays`;
      await expect(scene.replay(into)).rejects.toMatchObject({ code: "target_foreign" });
    });

    it("puts back into the live store what is missing, and counts it", async () => {
      await fill(scene);
      const everything = "select id, received_at, fingerprint from events order by id";
      const [before, ledger] = [
        await rowsOf(scene.live, everything),
        await rowsOf(scene.live, "select * from ledger order by 1"),
      ];
      const { count } = await scene.live.sql`delete from events`;
      const answer = await scene.replay(scene.live);
      expect(answer).toMatchObject({ ok: true, way: "restore", restored: count, records: 13 });
      expect(await rowsOf(scene.live, everything)).toEqual(before);
      expect(await rowsOf(scene.live, "select * from ledger order by 1")).toEqual(ledger);
      const counted = "select sum(restored)::int as restored from row_restorations";
      expect(await rowsOf(scene.live, counted)).toEqual([{ restored: count }]);
      expect(await scene.replay(scene.live)).toMatchObject({ restored: 0 });
    });

    it("takes the place of the live store, whose writers go on in it", async () => {
      await fill(scene);
      await scene.publish(0, recordOf(many(60, 63)), recordOf(many(63, 66)));
      await scene.live.sql`delete from events where event_id = 'e-3'`;
      const into = await scene.empty();
      const refused = await scene.replay(into, "equal");
      expect(refused).toMatchObject({ ok: false, equal: false, replaced: undefined });
      const answer = await scene.replay(into, "anyway");
      expect(answer.replaced).toMatch(/_until_\d{8}_\d{6}$/);
      expect(await rowsOf(scene.live, "select 1 from events where event_id = 'e-3'")).toHaveLength(1);
      await expect(scene.write([[0, 1]])).rejects.toBeInstanceOf(FencedError);
      const next = await scene.writer.take([0]);
      const records = await Array.fromAsync(scene.reader.read(0, next.get(0)!, next.get(0)! + 2n));
      await scene.writer.write([{ partition: 0, records }]);
      expect(await rowsOf(scene.live, "select 1 from events where event_id = 'e-65'")).toHaveLength(1);
    });
  });
}

const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and state = 'active'";

const differing = (answer: ReplayAnswer): string[] =>
  answer.tables.filter((table) => !table.equal).map(({ table }) => table);

/** Thirteen records: fresh ones, copies, conflicts, moved ones, refused ones, and three that are no batch of their own. */
async function fill({ live, publish, write }: ReplayScene): Promise<void> {
  await live.sql`insert into write_keys (key_hash, project_id) values (${"ab".repeat(32)}, 'p')`;
  const refusal = { code: "invalid_type", pointer: "/type", detail: "no string" } as const;
  const bad = { name: "bad", refusal, body: new TextEncoder().encode('{"type":1}') };
  const moved = { name: "m", movedTo: noon + 60 * minute };
  const id = nextBatchId();
  const again = recordOf(many(10, 20), received(3));
  await publish(0, recordOf(many(0, 10), received(1)), again, again, recordOf([moved], received(9)));
  await publish(
    1,
    recordOf([...many(5, 15), { ...moved, name: "n" }], received(2)),
    recordOf([{ name: "m" }, bad], received(8)),
    new Uint8Array([0xc1]),
  );
  await publish(2, recordOf([{ name: "e-3", at: noon + 3, content: "other" }, bad], received(4)));
  await publish(
    2,
    recordOf([...many(30, 32), { name: "n" }], { id, ...received(5) }),
    recordOf(many(32, 34), { id }),
  );
  const unwritable = { name: "u", fields: { payload: "{" } };
  await publish(2, recordOf([unwritable, ...many(40, 50)], received(6)));
  await publish(2, recordOf([unwritable, { name: "d", outcome: outcome.duplicate }], received(7)));
  await publish(2, recordOf(many(70, 90).map((one) => ({ ...one, at: one.at! - 40 * 24 * 60 * minute }))));
  await write([[1, 1]]);
  await write([[2, 1]]);
  await write([[0, 2]]);
  await write([[1, 1]]);
  await write([
    [2, 5],
    [0, 2],
    [1, 1],
  ]);
}

/** A store of one server, moved to another. */
export function moveSuite(title: string, from: () => string, to: () => string): void {
  describe(`a store moved to ${title}`, () => {
    let scene: ReplayScene;
    beforeEach(async () => {
      scene = await openReplayScene(from());
    });
    afterEach(() => scene.close());

    it("is equal in every table, also where the log holds nothing any more", async () => {
      await fill(scene);
      for (const partition of [0, 1]) scene.forget(partition, 3n);
      const into = await scene.empty(to());
      const tables = await copyStore(scene.live, into);
      expect(tables.filter((table) => !table.equal)).toEqual([]);
      expect(tables.find(({ table }) => table === "events")?.rows.into).toBeGreaterThan(50);
      const [kept] = await into.sql`
        insert into quarantine (batch_id, index, project_id, identity_hash, fingerprint, station, version, reason,
          pointer, detail, original, received_at)
        select batch_id, index, project_id, '\\x00', 0, station, version, reason, pointer, detail, original,
          received_at
        from quarantine limit 1
        returning quarantine_id::int = (select max(quarantine_id) + 1 from quarantine) as follows`;
      expect(kept).toEqual({ follows: true });
    });

    it("is equal where a table is larger than what is on its way at once", async () => {
      const large = (at: number) => recordOf(many(at * 500, at * 500 + 500, { content: "x".repeat(2_000) }));
      await scene.publish(0, ...Array.from({ length: 8 }, (_, at) => large(at)));
      await scene.write([[0, 8]]);
      const tables = await copyStore(scene.live, await scene.empty(to()));
      expect(tables.filter((table) => !table.equal)).toEqual([]);
    });

    it("is equal in every table when it is replayed there from the log", async () => {
      await fill(scene);
      expect(differing(await scene.replay(await scene.empty(to())))).toEqual([]);
    });

    it("is refused where the target has rows", async () => {
      await fill(scene);
      const into = await scene.empty(to());
      await copyStore(scene.live, into);
      await expect(copyStore(scene.live, into)).rejects.toMatchObject({ code: "target_not_empty" });
      expect(await countRows(into, "ledger")).toBe(await countRows(scene.live, "ledger"));
    });
  });
}
