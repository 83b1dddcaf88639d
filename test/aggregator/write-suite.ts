// What the writer promises, on whichever store it writes.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { advance, FencedError, OffsetError, takePartitions } from "../../aggregator/fence.ts";
import { storedFingerprints } from "../../aggregator/lookup.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { nextBatchId, noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, ledgerSums, openHand, openScene } from "./scene.ts";

const minute = 60_000;
const many = (from: number, to: number, more: Partial<Sketch> = {}): Sketch[] =>
  Array.from({ length: to - from }, (_, at) => ({ name: `e-${from + at}`, at: noon + from + at, ...more }));

export function writeSuite(title: string, url: () => string): void {
  describe(`the writer on ${title}`, () => {
    let store: Store;
    let hand: Hand;
    beforeAll(async () => {
      store = await openScene(url());
    });
    afterAll(() => closeScene(store));
    beforeEach(async () => {
      await store.sql`truncate events, ledger, ledger_retransmissions, quarantine, quarantined_records, moved_events, fresh_events, stale_days`;
      hand = await openHand(store);
    });
    afterEach(() => hand.close());

    const sums = () => ledgerSums(store, hand.identity);
    const rows = (table: string) => countRows(store, table);

    it("stores fresh events with every column as it was sent", async () => {
      const fields = {
        userId: "ü-“1”",
        seq: -5,
        revenue: "-0012345678901234567890.1250",
        payload: '{"a":[1,"\\n","😀"],"b":1e3}',
        metadata: '{"m":null}',
        anonymousId: "x".repeat(256),
        clockOffsetMs: -(2 ** 40),
      };
      await hand.write(0, recordOf([{ name: "one", fields }], { receivedAt: noon + 7 }));
      const [row] = await store.sql`
        select *, revenue::text as revenue_text, payload::text as payload_text, id::text as id_text from events`;
      expect(row).toMatchObject({
        event_time: new Date(noon),
        client_time: new Date(noon),
        received_at: new Date(noon + 7),
        seq: "-5",
        clock_offset_ms: String(-(2 ** 40)),
        version: 1,
        flags: 0,
        identity: "event_id",
        project_id: "p",
        user_id: fields.userId,
        anonymous_id: fields.anonymousId,
        city: null,
        revenue_text: "-12345678901234567890.1250",
        payload: { a: [1, "\n", "😀"], b: 1000 },
        metadata: { m: null },
      });
      const [position] = await store.sql`
        select next_offset from log_positions where log_id = ${hand.identity.id} and partition = 0`;
      expect(position?.["next_offset"]).toBe("1");
    });

    it("gives all rows of a transaction one stored_at", async () => {
      await hand.write(0, recordOf(many(0, 40)), recordOf(many(40, 80)));
      const [row] =
        await store.sql`select count(distinct stored_at)::int as times, count(*)::int as rows from events`;
      expect(row).toMatchObject({ times: 1, rows: 80 });
    });

    it("stores nothing a second time, in the same transaction or a later one", async () => {
      await hand.write(0, recordOf(many(0, 30)), recordOf(many(20, 50)));
      expect(await sums()).toEqual({ batches: 2, received: 60, stored: 50, duplicate_stored: 10 });
      await hand.write(1, recordOf(many(0, 50)));
      await hand.write(0, recordOf(many(45, 60)));
      expect(await sums()).toEqual({ batches: 4, received: 125, stored: 60, duplicate_stored: 65 });
      expect(await rows("events")).toBe(60);
      expect(await rows("quarantine")).toBe(0);
    });

    it("writes events of several months, days and projects", async () => {
      const old = Array.from({ length: 40 }, (_, at) => ({
        name: `o-${at}`,
        at: noon - at * 9 * 24 * 60 * minute,
      }));
      await hand.write(0, recordOf(old), recordOf(old, { project: "q" }));
      await hand.write(0, recordOf(old), recordOf(old, { project: "q" }));
      expect(await sums()).toEqual({ batches: 4, received: 160, stored: 80, duplicate_stored: 80 });
      const [noted] = await store.sql`
        select count(*)::int as notes, sum(cardinality(ids))::int as ids from fresh_events`;
      expect(noted).toEqual({ notes: 80, ids: 80 });
    });

    it("notes each stored event once for the read models", async () => {
      await hand.write(0, recordOf([{ name: "a" }]));
      await hand.write(0, recordOf([{ name: "b" }]), recordOf([{ name: "c" }]));
      await hand.write(0, recordOf([{ name: "b" }]));
      const notes = await store.sql`
        select f.project_id, f.day = (e.event_time at time zone 'UTC')::date as same_day, cardinality(f.ids) as ids
        from fresh_events f
        join events e on e.id = any(f.ids)
        order by f.mark, e.id`;
      const note = { project_id: "p", same_day: true };
      expect([...notes]).toEqual([
        { ...note, ids: 1 },
        { ...note, ids: 2 },
        { ...note, ids: 2 },
      ]);
    });

    it("keeps another content under a known identity in quarantine, once", async () => {
      await hand.write(0, recordOf([{ name: "a", content: "one" }]));
      await hand.write(
        0,
        recordOf([
          { name: "a", content: "two" },
          { name: "a", content: "one" },
          { name: "a", content: "two" },
        ]),
      );
      await hand.write(1, recordOf([{ name: "a", content: "two" }]));
      expect(await sums()).toEqual({ batches: 3, received: 5, stored: 1, conflict: 1, duplicate_stored: 3 });
      const kept =
        await store.sql`select reason, station, octet_length(original) > 20 as whole from quarantine`;
      expect([...kept]).toEqual([{ reason: "conflict", station: "aggregator", whole: true }]);
    });

    it("compares copies in a transaction with what is stored, not with each other", async () => {
      await hand.write(0, recordOf([{ name: "a", content: "stored" }]));
      const one = recordOf([
        { name: "a", content: "other" },
        { name: "a", content: "stored" },
      ]);
      await hand.write(0, one);
      expect(await sums()).toMatchObject({ stored: 1, conflict: 1, duplicate_stored: 1 });
    });

    it("counts what the collector found and keeps refused events once", async () => {
      const refusal = { code: "invalid_type", pointer: "/type\0", detail: "no string" } as const;
      const sketch: Sketch[] = [
        { name: "a" },
        { name: "b", outcome: outcome.duplicate },
        { name: "bad", refusal, body: new TextEncoder().encode('{"type":1}') },
      ];
      await hand.write(0, recordOf(sketch));
      await hand.write(0, recordOf(sketch));
      expect(await sums()).toEqual({
        batches: 2,
        received: 6,
        stored: 1,
        duplicate_claimed: 2,
        duplicate_stored: 1,
        refused: 2,
        refused_duplicate: 1,
      });
      const kept =
        await store.sql`select reason, pointer, detail, convert_from(original, 'UTF8') as original from quarantine`;
      expect([...kept]).toEqual([
        {
          reason: "invalid_type",
          pointer: "/type\ufffd",
          detail: "no string",
          original: '{"type":1}',
        },
      ]);
    });

    it("counts a retransmitted record nowhere and notes its offset", async () => {
      const record = recordOf(many(0, 3));
      await hand.write(0, record, record);
      await hand.write(0, recordOf(many(3, 5)), record);
      expect(await sums()).toEqual({ batches: 2, received: 5, stored: 5 });
      const noted = await store.sql`select log_offset from ledger_retransmissions order by 1`;
      expect(noted.map((row) => row["log_offset"])).toEqual(["1", "3"]);
    });

    it("keeps a record whole that uses another batch's id", async () => {
      const id = nextBatchId();
      await hand.write(0, recordOf(many(0, 2), { id }));
      await hand.write(0, recordOf(many(2, 4), { id }), recordOf(many(4, 6)));
      expect(await sums()).toEqual({ batches: 2, received: 4, stored: 4 });
      const kept = await store.sql`select log_offset, reason from quarantined_records`;
      expect([...kept]).toEqual([{ log_offset: "1", reason: "batch_id_reused" }]);
    });

    it("keeps a record whole that cannot be read, and writes the others", async () => {
      await hand.write(0, recordOf(many(0, 2)), new Uint8Array([0xc1, 1, 2]), recordOf(many(2, 4)));
      expect(await sums()).toEqual({ batches: 2, received: 4, stored: 4 });
      const kept = await store.sql`select log_offset, reason, original from quarantined_records`;
      expect([...kept]).toEqual([
        { log_offset: "1", reason: "record_unreadable", original: Buffer.from([0xc1, 1, 2]) },
      ]);
    });

    it.each([
      ["a payload that is no JSON", { fields: { payload: "{" } }],
      ["U+0000 in a text", { fields: { userId: "a\0b" } }],
      ["U+0000 in a payload", { fields: { payload: '"\\u0000"' } }],
      ["a revenue that is no number", { fields: { revenue: "1,50" } }],
      ["bytes that are no event", { body: new Uint8Array([1, 2, 3]) }],
    ])("quarantines %s alone, whatever stands around it", async (_, bad) => {
      const events = [...many(0, 30), { name: "bad", ...bad }, ...many(30, 60)];
      await hand.write(0, recordOf(events), recordOf([{ name: "bad", ...bad }, ...many(60, 61)]));
      expect(await sums()).toEqual({
        batches: 2,
        received: 63,
        stored: 61,
        unwritable: 1,
        duplicate_stored: 1,
      });
      const kept = await store.sql`select reason from quarantine`;
      expect(kept.map((row) => row["reason"])).toEqual(["event_unwritable"]);
      await hand.write(0, recordOf(many(61, 62)));
      expect(await rows("events")).toBe(62);
    });

    it.each([
      ["the moved one first", [{ movedTo: noon + 60 * minute }, {}]],
      ["the unmoved one first", [{}, { movedTo: noon + 60 * minute }]],
      ["both moved, differently", [{ movedTo: noon + 60 * minute }, { movedTo: noon + 61 * minute }]],
    ])("stores one of two copies of which a time was moved: %s", async (_, [first, second]) => {
      const one = { name: "m", ...first };
      const two = { name: "m", ...second };
      await hand.write(0, recordOf([one, two, ...many(0, 3)]));
      await hand.write(1, recordOf([two]));
      await hand.write(1, recordOf([{ ...one, content: "other" }]));
      expect(await sums()).toMatchObject({ stored: 4, duplicate_stored: 2, conflict: 1 });
      await hand.write(0, recordOf([{ name: "n", ...first }]));
      await hand.write(1, recordOf([{ name: "n", ...second }]));
      await hand.write(1, recordOf([{ name: "n", ...first }]));
      expect(await sums()).toMatchObject({ stored: 5, duplicate_stored: 4, conflict: 1 });
      expect(await rows("events")).toBe(5);
    });

    it("stores one of moved and unmoved copies that two writers write at once", async () => {
      const other = await hand.another();
      await other.take([1]);
      for (let round = 0; round < 12; round += 1) {
        const moved = many(round * 10, round * 10 + 10).map((one) => ({
          ...one,
          movedTo: one.at! + 60 * minute,
        }));
        await Promise.all([
          hand.writer.write([hand.slice(0, recordOf(moved))]),
          other.write([hand.slice(1, recordOf(many(round * 10, round * 10 + 10)))]),
        ]);
      }
      expect(await sums()).toEqual({ batches: 24, received: 240, stored: 120, duplicate_stored: 120 });
      expect(await rows("events")).toBe(120);
    });

    it("stores one of equal copies that two writers write at once", async () => {
      const other = await hand.another();
      await other.take([1]);
      for (let round = 0; round < 8; round += 1) {
        const events = many(round * 200, round * 200 + 200);
        await Promise.all([
          hand.writer.write([hand.slice(0, recordOf(events))]),
          other.write([hand.slice(1, recordOf([...events].reverse()))]),
        ]);
      }
      expect(await sums()).toEqual({ batches: 16, received: 3200, stored: 1600, duplicate_stored: 1600 });
      expect(await rows("events")).toBe(1600);
    });

    it("commits nothing for a writer whose partition was taken", async () => {
      await hand.write(0, recordOf(many(0, 2)));
      const other = await hand.another();
      expect(await other.take([0])).toEqual(new Map([[0, 1n]]));
      const late = hand.slice(0, recordOf(many(2, 4)));
      await expect(hand.writer.write([late])).rejects.toBeInstanceOf(FencedError);
      expect(await rows("events")).toBe(2);
      await other.write([late]);
      expect(await rows("events")).toBe(4);
      const both = [hand.slice(0, recordOf(many(4, 5))), hand.slice(1, recordOf(many(5, 6)))];
      await expect(hand.writer.write(both)).rejects.toMatchObject({ code: "fenced", partitions: [0] });
      expect(await rows("events")).toBe(4);
    });

    it("takes a partition from an owner that was stopped in the middle of its transaction", async () => {
      const stopped = await store.writer();
      const epoch = (await takePartitions(stopped, hand.identity, [0])).get(0)!.epoch;
      const held = Promise.withResolvers<void>();
      const broken = stopped.begin(async (tx) => {
        await advance(tx, hand.identity, [{ partition: 0, from: 0n, to: 1n }], new Map([[0, epoch]]));
        held.resolve();
        await new Promise(() => {});
      });
      const ended = expect(broken).rejects.toThrow();
      await held.promise;
      const next = await hand.another();
      expect(await next.take([0])).toEqual(new Map([[0, 0n]]));
      await ended;
      await next.write([hand.slice(0, recordOf(many(0, 2)))]);
      expect(await rows("events")).toBe(2);
      await stopped.end();
    });

    it("writes several partitions or none", async () => {
      await hand.writer.write([hand.slice(0, recordOf(many(0, 2))), hand.slice(1, recordOf(many(2, 4)))]);
      const wrong = [hand.slice(0, recordOf(many(4, 6))), hand.slice(1, recordOf(many(6, 8)))];
      const hole = [
        wrong[0]!,
        { partition: 1, records: wrong[1]!.records.map((one) => ({ ...one, offset: 9n })) },
      ];
      await expect(hand.writer.write(hole)).rejects.toMatchObject({
        code: "offset_mismatch",
        expected: 1n,
        found: 9n,
      });
      expect(await rows("events")).toBe(4);
      await hand.writer.write(wrong);
      expect(await rows("events")).toBe(8);
    });

    it("refuses a slice with a hole in it", async () => {
      const { partition, records } = hand.slice(
        0,
        recordOf(many(0, 1)),
        recordOf(many(1, 2)),
        recordOf(many(2, 3)),
      );
      const holed = { partition, records: [records[0]!, records[2]!] };
      await expect(hand.writer.write([holed])).rejects.toBeInstanceOf(OffsetError);
    });

    it("takes a commit whose answer was lost as done", async () => {
      const slice = hand.slice(0, recordOf(many(0, 3)));
      await hand.writer.write([slice]);
      expect(await hand.writer.write([slice])).toBe("known");
      expect(await sums()).toEqual({ batches: 1, received: 3, stored: 3 });
    });

    it("goes on after its session was ended in the middle of a transaction", async () => {
      await hand.write(0, recordOf(many(0, 3)));
      let written: Promise<unknown> = Promise.resolve();
      await store.sql.begin(async (tx) => {
        await tx`select 1 from log_positions where log_id = ${hand.identity.id} for update`;
        const [own] = await tx`select pg_backend_pid() as pid`;
        written = hand.write(0, recordOf(many(3, 6)));
        await waitFor(async () => {
          const [ended] = await store.sql`
            select pg_terminate_backend(pid) from pg_stat_activity
            where ${own?.["pid"]} = any(pg_blocking_pids(pid))`;
          return ended;
        });
      });
      await written;
      expect(await sums()).toEqual({ batches: 2, received: 6, stored: 6 });
    });

    it("finds the fingerprints of stored events over many days", async () => {
      const old = Array.from({ length: 20 }, (_, at) => ({
        name: `f-${at}`,
        at: noon - at * 24 * 60 * minute,
      }));
      await hand.write(0, recordOf(old));
      const stored = await store.sql`select uuid_send(id) as id from events`;
      const keys = stored.map((row) => (row["id"] as Buffer).toString("latin1"));
      const found = await store.sql.begin((tx) => storedFingerprints(tx, keys));
      expect([...found.keys()].sort()).toEqual(keys.sort());
    });
  });
}

/** Asks until there is an answer; fails after 10 s. */
async function waitFor<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > until) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
