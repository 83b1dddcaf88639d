// The quarantine's commands as real processes: what they print, how they end, and that a killed one costs nothing.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { openProcesses } from "../support/processes.ts";

const minutes = 5 * 60_000;

describe("weir quarantine", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-quarantine-command-"));
  const processes = openProcesses();
  const settings = { WEIR_DATA_DIR: join(folder, "data") };
  const weir = (...words: string[]) => processes.run([...words, "--json"], settings);
  const quarantine = (...words: string[]) => weir("quarantine", ...words);
  const killed = (point: string, ...words: string[]) =>
    processes.run(["quarantine", ...words], { ...settings, WEIR_TEST_CRASH_AT: point });

  const at = "2026-07-01T12:00:00Z";
  const events = [
    { event_id: "same", type: "t", user_id: "u", timestamp: at, payload: { v: 1 } },
    { event_id: "same", type: "t", user_id: "u", timestamp: at, payload: { v: 2 } },
    { event_id: "same", type: "t", user_id: "u", timestamp: at, payload: { v: 3 } },
    { event_id: "wrong", type: "t", user_id: "u", timestamp: at, colour: 1 },
    { event_id: "named", type: "t", user_id: "u", timestamp: at, colour: 1 },
    { event_id: "sent", type: "t", user_id: "u", timestamp: at, colour: 1 },
  ];
  let ids: Record<string, string>;
  let store: Store;

  beforeAll(async () => {
    await copyDatabase(join(settings.WEIR_DATA_DIR, "postgres"));
    // Kept open, so that no command has to start the database and to stop it.
    store = await openStore("embedded:", { schema: "weir", dataDir: settings.WEIR_DATA_DIR });
    const file = join(folder, "events.ndjson");
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join("\n"));
    expect(await weir("import", file)).toMatchObject({ code: 0, result: { stored: 1, quarantined: 5 } });
    const rows = await query((sql) => sql`select quarantine_id, original, batch_id, index from quarantine`);
    const named = rows.map((row) => [events[row["index"] as number]!, String(row["quarantine_id"])] as const);
    ids = Object.fromEntries(
      named.map(([{ event_id, payload }, id]) => [`${event_id}${payload?.v ?? ""}`, id]),
    );
  }, minutes);
  afterAll(async () => {
    await processes.close();
    await store?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const query = (ask: (sql: Store["sql"]) => Promise<readonly Record<string, unknown>[]>) => ask(store.sql);
  const reconciles = async () =>
    expect(await weir("reconcile")).toMatchObject({ code: 0, result: { ok: true, in_flight: 0 } });

  it("lists with sums, and shows one whole", async () => {
    const { code, result } = await quarantine("list", "--limit", "2");
    expect(code).toBe(0);
    expect(result).toMatchObject({ rows: [{}, {}], next: expect.stringMatching(/^\d+$/) });
    expect(result["sums"]).toEqual([
      { reason: "unknown_field", status: "open", events: 3 },
      { reason: "conflict", status: "open", events: 2 },
    ]);
    const shown = await quarantine("show", ids["wrong"]!);
    expect(shown).toMatchObject({
      code: 0,
      result: {
        reason: "unknown_field",
        pointer: "/colour",
        original: JSON.stringify(events[3]),
        history: [],
      },
    });
    const conflict = await quarantine("show", ids["same2"]!);
    expect(conflict.result["original"]).toContain('"payload":{"v":2}');
    expect(await quarantine("show", "999999")).toMatchObject({ code: 1 });
  });

  it(
    "ends with 1 where an event is refused again or is a conflict, which goes in as new",
    async () => {
      expect(await quarantine("retry", ids["wrong"]!)).toMatchObject({
        code: 1,
        result: { ok: false, sent: 1, refused_again: 1 },
      });
      expect(await quarantine("retry", "--reason", "conflict")).toMatchObject({
        code: 1,
        result: { ok: false, sent: 0, needs_as_new: 2 },
      });
      expect(await quarantine("retry", "--reason", "conflict", "--as-new")).toMatchObject({
        code: 0,
        result: { ok: true, sent: 2, stored: 2 },
      });
      const rows = await query((sql) => sql`select payload->>'v' as v from events order by 1`);
      expect(rows.map((row) => row["v"])).toEqual(["1", "2", "3"]);
      await reconciles();
    },
    minutes,
  );

  it.each(["named", "sent"])(
    "killed when a retry is %s, goes on, and the event is received once",
    async (point) => {
      const id = ids[point]!;
      const mended = JSON.stringify({ event_id: point, type: "t", user_id: "u", timestamp: at });
      await query(
        (sql) => sql`
      update quarantine set original = ${Buffer.from(mended)} where quarantine_id = ${id}`,
      );
      const before = await weir("reconcile");
      expect((await killed(`retry_${point}`, "retry", id)).code).toBeNull();
      expect(await quarantine("show", id)).toMatchObject({ result: { status: "retrying" } });
      expect(await quarantine("retry", id)).toMatchObject({ code: 0, result: { sent: 1, stored: 1 } });
      expect(await quarantine("show", id)).toMatchObject({ result: { status: "retried" } });
      const rows = await query((sql) => sql`select 1 from events where event_id = ${point}`);
      expect(rows).toHaveLength(1);
      const after = await weir("reconcile");
      expect(Number(after.result["received"]) - Number(before.result["received"])).toBe(1);
      await reconciles();
    },
    minutes,
  );

  it(
    "discards with a reason, once",
    async () => {
      const words = ["discard", ids["wrong"]!, "--why", "sent by a test"];
      expect(await quarantine(...words)).toMatchObject({ code: 0, result: { ok: true, discarded: 1 } });
      expect(await quarantine(...words)).toMatchObject({
        code: 1,
        result: { discarded: 0, not_open: [ids["wrong"]] },
      });
      const audit = await weir("audit", "--action", "discard", "--limit", "1");
      expect(audit).toMatchObject({
        code: 0,
        result: {
          rows: [{ event: ids["wrong"], actor: expect.stringMatching(/^command ./), why: "sent by a test" }],
          next: null,
        },
      });
      await reconciles();
    },
    minutes,
  );

  it(
    "shows, retries and discards records kept whole by their numbers",
    async () => {
      const [row] = await query(
        (sql) => sql`
        insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
        values ('another log', 0, 0, 'record_unreadable', 'no record', '\\x00')
        returning 'r' || record_id as id`,
      );
      const id = String(row?.["id"]);
      const { result } = await quarantine("list", "--limit", "1");
      expect(result).toMatchObject({ rows: [{ id }], next: id, records: [{ records: 1, status: "open" }] });
      expect(await quarantine("show", id)).toMatchObject({
        code: 0,
        result: { detail: expect.stringContaining("offset 0") },
      });
      const records = { written: 0, refused_again: 1 };
      expect(await quarantine("retry", id)).toMatchObject({ code: 1, result: { sent: 0, records } });
      const discarded = await quarantine("discard", id, "--why", "sent by a test");
      expect(discarded).toMatchObject({ code: 0, result: { discarded: 0, records: 1 } });
      await query((sql) => sql`delete from quarantined_records returning 1`);
    },
    minutes,
  );

  it(
    "is the same after the store was built anew from the log",
    async () => {
      const state = (schema: string) => async (sql: Store["sql"]) =>
        await sql`
        select reason, status, attempts, retry_batch_id, retried_at, is_scheduled
        from ${sql(schema)}.quarantine
        order by identity_hash, fingerprint`;
      // What the suite mended is put back: the log knows nothing of it.
      for (const event of events.slice(4)) {
        await query(
          (sql) => sql`
          update quarantine
          set original = ${Buffer.from(JSON.stringify(event))}
          where quarantine_id = ${ids[event.event_id]!}`,
        );
      }
      const beside = await weir("replay", "--schema", "weir_two");
      expect(beside, beside.said).toMatchObject({
        code: 0,
        result: { ok: true, way: "rebuild", equal: true },
      });
      expect([...(await query(state("weir_two")))]).toEqual([...(await query(state("weir")))]);
    },
    minutes,
  );

  it.each([
    [["list", "--limit", "0"]],
    [["list", "--from", "yesterday"]],
    [["list", "--reason", "because"]],
    [["show", "x"]],
    [["retry"]],
    [["retry", "--project", "default"]],
    [["retry", "1", "--all"]],
    [["discard", "1"]],
    [["discard", "1", "--why", " "]],
  ])(
    "ends with 2 where it is misused: %j",
    async (words) => {
      expect(await quarantine(...words)).toMatchObject({ code: 2 });
    },
    minutes,
  );
});
