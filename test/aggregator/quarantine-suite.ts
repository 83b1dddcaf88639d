// The quarantine on the whole pipeline: what is kept, received anew, discarded and removed; and every event counted.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { discardRows } from "../../aggregator/quarantine/discard.ts";
import { expireRows, forgetRows } from "../../aggregator/quarantine/expire.ts";
import { type RetryAnswer, retryRows } from "../../aggregator/quarantine/retry.ts";
import type { Selection } from "../../aggregator/quarantine/selection.ts";
import { listQuarantine, showQuarantined } from "../../aggregator/read/quarantine.ts";
import { importFile } from "../../edge/command/import.ts";
import { systemClock } from "../../shared/clock.ts";
import { flag } from "../../shared/event/event.ts";
import { silentMeter } from "../../shared/meter.ts";
import { quarantineReasons } from "../../shared/problem.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { weirVersion } from "../../shared/wire/version.ts";
import { type Embedded, type Places, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";

const minutes = 60_000;
const dayMs = 86_400_000;

/** The suite on a store: an embedded one where no place is given. */
export function quarantineSuite(title: string, places: () => Places): void {
  describe(title, () => {
    let weir: Embedded;
    let url: string;
    beforeAll(async () => {
      weir = await startEmbedded(["p", "q"], places());
      url = weir.edge.url;
    }, minutes);
    afterAll(() => weir.close());

    /** Sends events and waits until the ledger has them; answers the numbers of those kept, in order. */
    async function send(events: readonly unknown[], project = "p", path = "/v1/events"): Promise<string[]> {
      const response = await fetch(`${url}${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${weir.keyOf(project)}`, "content-type": "application/json" },
        body: JSON.stringify(path === "/v1/events" ? { events } : events),
      });
      expect(response.status).toBe(202);
      const answer = (await response.json()) as { batch_id: string; batch_ids?: string[] };
      const batchIds = answer.batch_ids ?? [answer.batch_id];
      await until("the batch is in the ledger", 20_000, async () => {
        const rows = await weir.store.sql`select 1 from ledger where batch_id = any(${batchIds}::uuid[])`;
        return rows.length === batchIds.length;
      });
      const rows = await weir.store.sql`
      select quarantine_id from quarantine where batch_id = any(${batchIds}::uuid[]) order by batch_id, index`;
      return rows.map((row) => String(row["quarantine_id"]));
    }

    const retry = (
      selection: Selection,
      asNew = false,
      reenter: Reenter = weir.edge.reenter,
    ): Promise<RetryAnswer> =>
      retryRows(
        { store: weir.store, reenter, clock: systemClock, meter: silentMeter, waitMs: 20_000 },
        { selection, asNew, actor: "test" },
      );

    async function stored(eventId: string): Promise<number> {
      const [row] = await weir.store
        .sql`select count(*)::int as rows from events where event_id = ${eventId}`;
      return row?.["rows"] as number;
    }

    async function reconciles(): Promise<void> {
      const { ok, checks, received, stored, duplicate, quarantined, in_flight } = await weir.reconcile();
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(ok).toBe(true);
      expect(stored + duplicate + quarantined + in_flight).toBe(received);
    }

    /** Puts another event in the place of a kept one, as a fix of the code would let it pass. */
    const mend = (id: string, event: unknown) => weir.store.sql`
    update quarantine set original = ${Buffer.from(JSON.stringify(event))} where quarantine_id = ${id}`;

    it("keeps a refused event whole, with who refused it, why and where", async () => {
      const event = { event_id: "whole", type: "t", user_id: "u", colour: "red" };
      const [id] = await send([event]);
      expect(await showQuarantined(weir.store.sql, id!)).toMatchObject({
        station: "edge",
        weir_version: weirVersion,
        reason: "unknown_field",
        pointer: "/colour",
        status: "open",
        dialect: "native",
        original: JSON.stringify(event),
        history: [],
      });
      expect(quarantineReasons).toContain("unknown_field");
      await reconciles();
    });

    it("counts further copies of a kept event as duplicates", async () => {
      const event = { event_id: "copied", type: "t", user_id: "u", colour: "red" };
      const before = await weir.reconcile();
      expect(await send([event, event])).toHaveLength(1);
      expect(await send([event])).toHaveLength(0);
      const after = await weir.reconcile();
      expect(after.quarantined - before.quarantined).toBe(1);
      expect(after.duplicate - before.duplicate).toBe(2);
      await reconciles();
    });

    it("receives a mended event anew, links it to its old place and leaves the old row counted", async () => {
      const [id] = await send([{ event_id: "mended", type: "t", user_id: "u", colour: "red" }]);
      await mend(id!, { event_id: "mended", type: "t", user_id: "u" });
      const before = await weir.reconcile();
      expect(await retry({ ids: [id!] })).toMatchObject({ ok: true, sent: 1, stored: 1 });
      const after = await weir.reconcile();
      expect(after).toMatchObject({ received: before.received + 1, quarantined: before.quarantined });
      expect(await stored("mended")).toBe(1);
      const row = await showQuarantined(weir.store.sql, id!);
      expect(row).toMatchObject({ status: "retried", retry_index: 0 });
      expect(row?.history.map(({ action, actor }) => [action, actor])).toEqual([
        ["retry", "test"],
        ["retried", "ledger"],
      ]);
      const [batch] = await weir.store.sql`
      select received from ledger where batch_id = ${row?.retry_batch_id ?? null}`;
      expect(batch).toEqual({ received: 1 });
      await reconciles();
    });

    it("opens a row again whose event is refused again, and counts that reception as a duplicate", async () => {
      const [id] = await send([{ event_id: "stubborn", type: "t", user_id: "u", colour: "red" }]);
      const before = await weir.reconcile();
      const answer = await retry({ ids: [id!] });
      expect(answer).toMatchObject({ ok: false, sent: 1, refused_again: 1 });
      expect(answer.rows).toEqual([{ id, outcome: "refused_again", detail: "unknown_field /colour" }]);
      expect(await showQuarantined(weir.store.sql, id!)).toMatchObject({ status: "open", attempts: 1 });
      const after = await weir.reconcile();
      expect(after.duplicate - before.duplicate).toBe(1);
      expect(after.quarantined).toBe(before.quarantined);
      await reconciles();
    });

    it("knows an event without id or time by its old place, however often it is refused", async () => {
      const [id] = await send([{ type: "t", user_id: "u", colour: "red" }]);
      await retry({ ids: [id!] });
      await retry({ ids: [id!] });
      const [row] = await weir.store.sql`select received_at from quarantine where quarantine_id = ${id!}`;
      await mend(id!, { type: "nameless", user_id: "u" });
      expect(await retry({ ids: [id!] })).toMatchObject({ stored: 1 });
      const rows = await weir.store.sql`select event_time, identity from events where type = 'nameless'`;
      expect([...rows]).toEqual([{ event_time: row?.["received_at"], identity: "arrival" }]);
      await reconciles();
    });

    it("takes the dialect that the event came in", async () => {
      const growth = { user_id: "u", event_type: "grown", client_timestamp: new Date().toISOString() };
      const [id] = await send([{ ...growth, colour: "red" }], "p", "/v1/growth-events");
      await mend(id!, growth);
      expect(await retry({ ids: [id!] })).toMatchObject({ stored: 1 });
      const rows = await weir.store.sql`select identity from events where type = 'grown'`;
      expect([...rows]).toEqual([{ identity: "window" }]);
      await reconciles();
    });

    it("judges a time that lay ahead by the clock of now", async () => {
      const soon = Date.now() + 20 * 60_000;
      const [id] = await send([{ event_id: "ahead", type: "t", user_id: "u", timestamp: soon }]);
      expect(await retry({ ids: [id!] })).toMatchObject({ refused_again: 1 });
      await mend(id!, { event_id: "ahead", type: "t", user_id: "u", timestamp: soon - 15 * 60_000 });
      expect(await retry({ ids: [id!] })).toMatchObject({ stored: 1 });
      await reconciles();
    });

    it("keeps an event apart anew where another content came under its id meanwhile", async () => {
      const timestamp = new Date(Date.now() - 60_000).toISOString();
      const event = { event_id: "meanwhile", type: "t", user_id: "u", timestamp };
      const [id] = await send([{ ...event, colour: "red" }]);
      await send([{ ...event, payload: { better: true } }]);
      await mend(id!, event);
      const answer = await retry({ ids: [id!] });
      expect(answer).toMatchObject({ ok: false, sent: 1, stored: 0, quarantined: 1 });
      expect(answer.rows[0]?.detail).toMatch(/^conflict, kept as \d+$/);
      expect(await showQuarantined(weir.store.sql, id!)).toMatchObject({ status: "retried" });
      const [found] = await weir.store.sql`
      select payload from events where event_id = 'meanwhile'`;
      expect(found).toEqual({ payload: { better: true } });
      await reconciles();
    });

    it("counts a duplicate where the same content was stored meanwhile, and the event is there", async () => {
      const event = { event_id: "again", type: "t", user_id: "u", timestamp: new Date().toISOString() };
      const [id] = await send([{ ...event, colour: "red" }]);
      await send([event]);
      await mend(id!, event);
      const before = await weir.reconcile();
      expect(await retry({ ids: [id!] })).toMatchObject({ ok: true, stored: 1 });
      const after = await weir.reconcile();
      expect([after.stored - before.stored, after.duplicate - before.duplicate]).toEqual([0, 1]);
      await reconciles();
    });

    it("judges a wrong clock as it was when the event came", async () => {
      const sentAt = Date.now() - 3 * dayMs;
      const event = { event_id: "slow clock", type: "t", user_id: "u", timestamp: sentAt - 60 * dayMs };
      const [id] = await send([{ ...event, sent_at: sentAt, colour: "red" }]);
      const [kept] = await weir.store.sql`select received_at from quarantine where quarantine_id = ${id!}`;
      await mend(id!, { ...event, timestamp: sentAt - 5_000, sent_at: sentAt });
      await weir.store.sql`update quarantine set flags = 0 where quarantine_id = ${id!}`;
      expect(await retry({ ids: [id!] })).toMatchObject({ stored: 1 });
      const [found] = await weir.store.sql`
      select clock_offset_ms::float8 as offset from events where event_id = 'slow clock'`;
      expect(found).toEqual({ offset: Number(kept?.["received_at"]) - sentAt });
      await reconciles();
    });

    it("lets an event that was too old in, since a person says so", async () => {
      const event = { event_id: "very old", type: "t", user_id: "u", timestamp: "2011-01-01T00:00:00Z" };
      const [id] = await send([{ ...event, colour: "red" }]);
      await mend(id!, event);
      await weir.store.sql`
      update quarantine set flags = 0, reason = 'time_too_old' where quarantine_id = ${id!}`;
      expect(await retry({ ids: [id!] })).toMatchObject({ stored: 1 });
      const [found] = await weir.store.sql`
      select event_time, flags from events where event_id = 'very old'`;
      expect(found).toEqual({ event_time: new Date(event.timestamp), flags: flag.historical });
      await reconciles();
    });

    it("reads what came as msgpack, or with its write key in it", async () => {
      const ids = await send([
        { event_id: "packed", type: "t", user_id: "u", colour: "red" },
        { event_id: "keyed", type: "t", user_id: "u", colour: "red" },
      ]);
      const rows = await weir.store.sql`
      select quarantine_id as id, original from quarantine where quarantine_id = any(${ids}::bigint[])`;
      for (const row of rows) {
        const { colour: _, ...event } = JSON.parse(String(row["original"]));
        const isPacked = event.event_id === "packed";
        const bytes = isPacked
          ? pack(event)
          : Buffer.from(JSON.stringify({ ...event, write_key: "wk_of_p" }));
        await weir.store
          .sql`update quarantine set original = ${Buffer.from(bytes)} where quarantine_id = ${row["id"]}`;
      }
      expect(await retry({ ids })).toMatchObject({ ok: true, stored: 2 });
      await reconciles();
    });

    it("takes the identity that an import asked for", async () => {
      const file = join(weir.folder, "asked.ndjson");
      writeFileSync(file, JSON.stringify({ event_id: "asked", type: "asked", user_id: "u" }));
      await importFile(file, { map: [], identity: "content" }, weir.importDeps("p"));
      const [row] = await weir.store
        .sql`select quarantine_id as id, reason from quarantine where pointer = '/timestamp' and identity_asked = 'content'`;
      expect(row).toMatchObject({ reason: "missing_field" });
      await mend(String(row?.["id"]), {
        event_id: "asked",
        type: "asked",
        user_id: "u",
        timestamp: Date.now(),
      });
      expect(await retry({ ids: [String(row?.["id"])] })).toMatchObject({ stored: 1 });
      const rows = await weir.store.sql`select identity from events where type = 'asked'`;
      expect([...rows]).toEqual([{ identity: "content" }]);
      await reconciles();
    });

    describe("a conflict", () => {
      const timestamp = new Date(Date.now() - 60_000).toISOString();
      const content = (colour: string) => ({
        event_id: "same",
        type: "t",
        user_id: "u",
        timestamp,
        payload: { colour },
      });
      let id: string;
      beforeAll(async () => {
        await send([content("red")]);
        [id] = (await send([content("blue")])) as [string];
      });

      it("stays where it is, told as such, unless it is to be new", async () => {
        expect(await retry({ ids: [id] })).toMatchObject({ ok: false, sent: 0, needs_as_new: 1 });
        expect(await showQuarantined(weir.store.sql, id)).toMatchObject({
          status: "open",
          reason: "conflict",
        });
      });

      it("is stored as new under the id of its place, and its own id is kept beside", async () => {
        expect(await retry({ ids: [id] }, true)).toMatchObject({ ok: true, stored: 1 });
        const row = await showQuarantined(weir.store.sql, id);
        const eventId = `quarantine:${row?.batch_id}/${row?.index}`;
        const rows = await weir.store.sql`
        select payload, context->>'source_event_id' as source, event_time
        from events where event_id = ${eventId}`;
        expect([...rows]).toEqual([
          { payload: { colour: "blue" }, source: "same", event_time: new Date(timestamp) },
        ]);
        expect(await stored("same")).toBe(1);
        await reconciles();
      });

      it("is a duplicate where somebody opens its row by hand and sends it as new once more", async () => {
        await weir.store.sql`update quarantine set status = 'open' where quarantine_id = ${id}`;
        await retry({ ids: [id] }, true);
        const [count] = await weir.store.sql`
        select count(*)::int as rows from events where payload->>'colour' = 'blue'`;
        expect(count).toEqual({ rows: 1 });
        await reconciles();
      });
    });

    describe("a retry cut short", () => {
      const cases: [when: string, reenter: () => Reenter][] = [
        ["before the batch was sent", () => ({ send: () => Promise.reject(new Error("cut")) })],
        [
          "after the batch was sent, before its row was marked",
          () => ({
            async send(batch) {
              await weir.edge.reenter.send(batch);
              throw new Error("cut");
            },
          }),
        ],
      ];
      it.each(cases)(
        "%s is taken up by the next, and the event is received once",
        async (when, reenter) => {
          const name = `cut short ${when}`;
          const event = { event_id: name, type: "t", user_id: "u" };
          const [id] = await send([{ ...event, colour: "red" }]);
          await mend(id!, event);
          const before = await weir.reconcile();
          expect(await retry({ ids: [id!] }, false, reenter())).toMatchObject({ ok: false, error: "cut" });
          expect(await showQuarantined(weir.store.sql, id!)).toMatchObject({ status: "retrying" });
          expect(await retry({ ids: [id!] })).toMatchObject({ ok: true, sent: 1, stored: 1 });
          expect(await stored(name)).toBe(1);
          const after = await weir.reconcile();
          expect(after.received - before.received).toBe(1);
          await reconciles();
        },
        40_000,
      );
    });

    it("sends the rest anew where a part of a batch on its way is erased", async () => {
      const names = ["kept on", "erased under way"];
      const ids = await send(names.map((name) => ({ event_id: name, type: "t", user_id: "u", colour: 1 })));
      const rows = await weir.store.sql`
        update quarantine
        set original = convert_to(replace(convert_from(original, 'utf8'), ',"colour":1', ''), 'utf8')
        where quarantine_id = any(${ids}::bigint[])
        returning quarantine_id as id, convert_from(original, 'utf8') as original`;
      const cut: Reenter = {
        async send(batch) {
          await weir.edge.reenter.send(batch);
          throw new Error("cut");
        },
      };
      await retry({ ids }, false, cut);
      const gone = rows.find((row) => String(row["original"]).includes("erased"))?.["id"];
      expect(await forgetRows(weir.store, [String(gone)])).toBe(1);
      expect(await retry({ ids })).toMatchObject({ sent: 1, stored: 1, not_open: [String(gone)] });
      expect(await stored("kept on")).toBe(1);
      await reconciles();
    });

    it("retries all of a project at once, in batches of one project each", async () => {
      const ids = [
        ...(await send(
          Array.from({ length: 600 }, (_, at) => ({ event_id: `p${at}`, type: "t", user_id: "u", x: 1 })),
        )),
        ...(await send([{ event_id: "q1", type: "t", user_id: "u", x: 1 }], "q")),
      ];
      await weir.store.sql`
      update quarantine
      set original = convert_to(replace(convert_from(original, 'utf8'), ',"x":1', ''), 'utf8')
      where pointer = '/x'`;
      const answer = await retry({ ids });
      expect(answer).toMatchObject({ ok: true, sent: 601, stored: 601 });
      const page = await listQuarantine(weir.store.sql, { project: "q", status: "retried" }, 10);
      expect(page.rows).toHaveLength(1);
      await reconciles();
    });

    it("retries the same rows by two at once without receiving one of them twice", async () => {
      const ids = await send(
        Array.from({ length: 20 }, (_, at) => ({ event_id: `two${at}`, type: "two", user_id: "u", y: 1 })),
      );
      await weir.store.sql`
      update quarantine
      set original = convert_to(replace(convert_from(original, 'utf8'), ',"y":1', ''), 'utf8')
      where pointer = '/y'`;
      const before = await weir.reconcile();
      await Promise.all([retry({ ids }), retry({ ids })]);
      expect((await weir.reconcile()).received - before.received).toBe(20);
      const [count] = await weir.store.sql`select count(*)::int as rows from events where type = 'two'`;
      expect(count).toEqual({ rows: 20 });
      await reconciles();
    });

    it("discards with who, when and why, and counts the event as before", async () => {
      const [id] = await send([{ event_id: "unwanted", type: "t", user_id: "u", colour: "red" }]);
      const before = await weir.reconcile();
      const asked = { selection: { ids: [id!] }, actor: "test", why: "a test of ours" };
      expect(await discardRows(weir.store, asked)).toMatchObject({ ok: true, discarded: 1, not_open: [] });
      expect(await discardRows(weir.store, asked)).toMatchObject({ ok: false, discarded: 0, not_open: [id] });
      const row = await showQuarantined(weir.store.sql, id!);
      expect(row).toMatchObject({
        status: "discarded",
        history: [{ action: "discard", actor: "test", why: asked.why }],
      });
      expect(await retry({ ids: [id!] })).toMatchObject({ ok: false, sent: 0, not_open: [id] });
      expect((await weir.reconcile()).quarantined).toBe(before.quarantined);
      await reconciles();
    });

    it("lists page by page, each row once", async () => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await listQuarantine(weir.store.sql, { reason: "unknown_field" }, 100, cursor);
        seen.push(...page.rows.map(({ id }) => id));
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      const [count] = await weir.store.sql`
      select count(*)::int as rows from quarantine where reason = 'unknown_field'`;
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toHaveLength(count?.["rows"] as number);
    });

    it("removes what is older than its days, and still accounts for it", async () => {
      const [id, young] = await send([
        { event_id: "old", type: "t", user_id: "u", colour: "red" },
        { event_id: "young", type: "t", user_id: "u", colour: "red" },
      ]);
      await weir.store.sql`
      update quarantine set received_at = now() - interval '91 days' where quarantine_id = ${id!}`;
      const before = await weir.reconcile();
      // Or the running aggregator's own round does, which then has done the same.
      await expireRows(weir.store, Date.now(), 90);
      expect(await showQuarantined(weir.store.sql, id!)).toBeUndefined();
      expect(await showQuarantined(weir.store.sql, young!)).toBeDefined();
      const rows = await weir.store
        .sql`select project_id, reason, expired::int, day from quarantine_expired where day < current_date - 30`;
      const day = new Date(Math.floor((Date.now() - 91 * dayMs) / dayMs) * dayMs);
      expect([...rows]).toEqual([{ project_id: "p", reason: "unknown_field", expired: 1, day }]);
      expect((await weir.reconcile()).quarantined).toBe(before.quarantined);
      await reconciles();
    });

    it("fails its check where a kept event is missing", async () => {
      const [id] = await send([{ event_id: "stolen", type: "t", user_id: "u", colour: "red" }]);
      const kept = await weir.store
        .sql`delete from quarantine where quarantine_id = ${id!} returning project_id`;
      const { ok, checks } = await weir.reconcile();
      expect(ok).toBe(false);
      expect(checks.find(({ name }) => name === "quarantine")?.rows).toHaveLength(1);
      await weir.store.sql`
      insert into quarantine_expired as e (project_id, day, reason, expired)
      values (${kept[0]?.["project_id"]}, '2000-01-01', 'unknown_field', 1)`;
      await reconciles();
    });
  });
}
