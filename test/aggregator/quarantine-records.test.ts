// Records kept whole: what cannot be read is written once it can be, and counted once, wherever that happens.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import { discardRows } from "../../aggregator/quarantine/discard.ts";
import { type RetryAnswer, retryRows } from "../../aggregator/quarantine/retry.ts";
import { listQuarantine, showQuarantined } from "../../aggregator/read/quarantine.ts";
import { sumRecords } from "../../aggregator/read/quarantine-records.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { silentMeter } from "../../shared/meter.ts";
import { manualClock } from "../support/clock.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { nextBatchId, reads, recordOf, type Sketch } from "./records.ts";
import { openReplayScene, type ReplayScene } from "./replay-scene.ts";
import { countRows } from "./scene.ts";

const many = (from: number, to: number, content = "same"): Sketch[] =>
  Array.from({ length: to - from }, (_, at) => ({ name: `e-${from + at}`, content }));
const refused: Sketch = { name: "bad", refusal: { code: "unknown_field", pointer: "/x", detail: "x" } };

function suite(title: string, url: () => string): void {
  describe(title, () => {
    let scene: ReplayScene;
    let store: Store;
    beforeEach(async () => {
      scene = await openReplayScene(url());
      store = scene.live;
    });
    afterEach(() => scene.close());

    const retry = (ids?: string[], asNew = false): Promise<RetryAnswer> =>
      retryRows(
        { store, reenter: undefined, clock: manualClock(), meter: silentMeter, waitMs: 0 },
        { selection: ids === undefined ? { reason: "record_unreadable" } : { ids }, asNew, actor: "test" },
      );
    const discard = (ids: string[], why = "seen") =>
      discardRows(store, { selection: { ids }, actor: "test", why });
    /** A record that this version cannot read, in the place of one that a later version can. */
    const garble = (partition: number, offset: bigint) =>
      scene.writer.write([{ partition, records: reads(offset, Buffer.from("not yet")) }]);
    const proof = () => reconcile({ store, reader: scene.reader });
    const kept = async (): Promise<string[]> =>
      (await listQuarantine(store.sql, {}, 100)).rows.map(({ id }) => id).filter((id) => id.startsWith("r"));
    const mend = (id: string, record: Uint8Array) =>
      store.sql`update quarantined_records set original = ${Buffer.from(record)} where record_id = ${id.slice(1)}`;
    const audit = async () => [
      ...(await store.sql`select action, actor, target, outcome, why from audit order by audit_id`),
    ];

    it("are listed before the events, page by page, and shown with reason, place and bytes", async () => {
      await scene.publish(0, Buffer.from("no record"), recordOf([refused]), Buffer.from("nor this"));
      await scene.write([[0, 3]]);
      const [newer, older] = await kept();
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listQuarantine(store.sql, {}, 1, cursor);
        seen.push(...page.rows.map(({ id }) => id));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      const [event] = await store.sql`select quarantine_id::text as id from quarantine`;
      expect(seen).toEqual([newer, older, event?.["id"]]);
      expect(await showQuarantined(store.sql, older!)).toMatchObject({
        id: older,
        reason: "record_unreadable",
        detail: expect.stringMatching(/^the record at partition 0, offset 0 of log /),
        status: "open",
        batch_id: null,
        bytes: 9,
        original: "no record",
        original_base64: Buffer.from("no record").toString("base64"),
        history: [],
      });
      expect(await showQuarantined(store.sql, "r999999")).toBeUndefined();
      for (const selection of [
        { project: "p" },
        { status: "retried" as const },
        { reason: "conflict" as const },
      ])
        expect(
          (await listQuarantine(store.sql, selection, 10)).rows.filter(({ id }) => id.startsWith("r")),
        ).toEqual([]);
    });

    it("stay where they cannot be read, and say why", async () => {
      await scene.publish(0, Buffer.from("no record"));
      await scene.write([[0, 1]]);
      const [id] = await kept();
      expect(await retry()).toMatchObject({
        ok: false,
        sent: 0,
        records: { written: 0, refused_again: 1 },
        rows: [{ id, outcome: "refused_again" }],
      });
      expect(await kept()).toEqual([id]);
      expect(await audit()).toMatchObject([{ action: "refused_again", actor: "test" }]);
      expect(await proof()).toMatchObject({ ok: false, unreadable: 1 });
    });

    it("are written as the records that they are once they can be read", async () => {
      const late = recordOf([...many(0, 3), refused]);
      await scene.publish(0, recordOf(many(2, 5)), late);
      await scene.write([[0, 1]]);
      await garble(0, 1n);
      const [id] = await kept();
      await mend(id!, late);
      const answer = await retry([id!]);
      expect(answer).toMatchObject({
        ok: true,
        sent: 4,
        stored: 2,
        duplicate: 1,
        quarantined: 1,
        records: { written: 1, refused_again: 0 },
        rows: [{ id, outcome: "written" }],
      });
      expect(await countRows(store, "events")).toBe(5);
      expect(await kept()).toEqual([]);
      expect(await audit()).toMatchObject([
        {
          action: "retried",
          actor: "test",
          target: expect.stringMatching(/^record .+\/0\/1$/),
          outcome: "written",
        },
      ]);
      expect(await retry([id!])).toMatchObject({ ok: false, not_open: [id] });
      expect(await proof()).toMatchObject({ ok: true, received: 7, stored: 5, unreadable: 0 });
    });

    it("are counted once where a further record of the batch came meanwhile", async () => {
      const record = recordOf(many(0, 3));
      await scene.publish(0, record, record);
      await garble(0, 0n);
      await scene.writer.write([{ partition: 0, records: reads(1n, record) }]);
      const [id] = await kept();
      await mend(id!, record);
      expect(await retry([id!])).toMatchObject({ ok: true, sent: 3, stored: 0, duplicate: 3 });
      expect(await proof()).toMatchObject({ ok: true, received: 3, stored: 3 });
      expect(await countRows(store, "ledger_retransmissions")).toBe(1);
    });

    it("are written once by two who retry at once", async () => {
      const record = recordOf(many(0, 3));
      await scene.publish(0, record);
      await garble(0, 0n);
      const [id] = await kept();
      await mend(id!, record);
      await Promise.all([retry([id!]), retry([id!])]);
      expect(await proof()).toMatchObject({ ok: true, received: 3, stored: 3 });
    });

    it("under another batch's id come back as a batch of their own, where that is asked for", async () => {
      const batch = nextBatchId();
      await scene.publish(0, recordOf(many(0, 3), { id: batch }), recordOf(many(2, 6), { id: batch }));
      await scene.write([[0, 2]]);
      const [id] = await kept();
      expect(await showQuarantined(store.sql, id!)).toMatchObject({ reason: "batch_id_reused" });
      expect(await proof()).toMatchObject({ ok: false, reused: 1 });
      expect(await retry([id!])).toMatchObject({ ok: false, sent: 0, needs_as_new: 1 });
      expect(await retry([id!], true)).toMatchObject({ ok: true, sent: 4, stored: 3, duplicate: 1 });
      expect(await proof()).toMatchObject({ ok: true, reused: 0, received: 7, stored: 6 });
    });

    it("are as they were after the store was built anew from the log", async () => {
      const batch = nextBatchId();
      await scene.publish(0, recordOf(many(0, 3), { id: batch }), recordOf(many(2, 6), { id: batch }));
      await scene.publish(1, Buffer.from("no record"), Buffer.from("nor this"));
      await scene.write([
        [0, 2],
        [1, 2],
      ]);
      const [reused, unreadable] = await kept();
      expect(await retry([reused!], true)).toMatchObject({ ok: true, stored: 3 });
      await discard([unreadable!]);
      const into = await scene.empty();
      const answer = await scene.replay(into);
      expect(answer.tables.filter((table) => !table.equal)).toEqual([]);
      expect(answer).toMatchObject({ ok: true });
      expect(await sumRecords(into.sql)).toEqual(await sumRecords(store.sql));
    });

    it("get their rows back from the log like any", async () => {
      const batch = nextBatchId();
      await scene.publish(0, recordOf(many(0, 3), { id: batch }), recordOf(many(2, 6), { id: batch }));
      await scene.write([[0, 2]]);
      await retry(await kept(), true);
      await store.sql`delete from events where event_id in ('e-1', 'e-5')`;
      expect(await scene.replay(store)).toMatchObject({ way: "restore", restored: 2 });
      expect(await countRows(store, "events")).toBe(6);
    });

    it("are counted and kept when they are discarded, with who and why, and no fault any more", async () => {
      await scene.publish(0, Buffer.from("no record"), Buffer.from("nor this"));
      await scene.write([[0, 2]]);
      const ids = await kept();
      expect(await discard(ids.slice(0, 1), "a test's")).toEqual({
        ok: true,
        discarded: 0,
        records: 1,
        not_open: [],
      });
      expect(await discard(ids.slice(0, 1))).toMatchObject({
        ok: false,
        records: 0,
        not_open: ids.slice(0, 1),
      });
      expect(await sumRecords(store.sql)).toEqual([
        { reason: "record_unreadable", status: "open", records: 1 },
        { reason: "record_unreadable", status: "discarded", records: 1 },
      ]);
      expect(await showQuarantined(store.sql, ids[0]!)).toMatchObject({
        status: "discarded",
        original: "nor this",
        history: [{ action: "discard", actor: "test", why: "a test's" }],
      });
      expect(await proof()).toMatchObject({ ok: false, unreadable: 1 });
      await discard(ids.slice(1));
      expect(await proof()).toMatchObject({ ok: true, unreadable: 0 });
      expect(await retry([ids[0]!])).toMatchObject({ ok: false, not_open: [ids[0]] });
    });
  });
}

describe("records kept whole", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-records-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  suite("on the embedded store", () => `embedded:${folder}/postgres`);
});

// The embedded store is a PostgreSQL too; a server's own is tried where time is.
if (process.env["WEIR_TEST_LONG"] === "1") {
  describeWith(["postgres"], "records kept whole on a server", () => {
    suite("of PostgreSQL", () => serviceUrl("postgres"));
  });
}

describeWith(["timescale"], "records kept whole on a server", () => {
  suite("of TimescaleDB", () => serviceUrl("timescale"));
});
