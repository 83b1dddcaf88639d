// What retention and erasure keep out of the store, and how it is counted.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { AggregatorCommands } from "../../aggregator/command/register.ts";
import { registerLifecycle } from "../../aggregator/command/register-lifecycle.ts";
import { subjectHash } from "../../aggregator/lifecycle/bars.ts";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { until } from "../support/until.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, ledgerSums, openHand, openScene } from "./scene.ts";

const hour = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

describe("an event that may not come in any more", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-bars-"));
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
  });
  afterAll(async () => {
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await store.sql`truncate events, ledger, quarantine, quarantine_expired, moved_events, fresh_events, stale_days, row_removals, retained_from, erasures`;
    hand = await openHand(store);
  });
  afterEach(() => hand.close());

  const retain = async (fromMs: number, type = ""): Promise<void> => {
    await store.sql`
      insert into retained_from (project_id, type, retained_from) values ('p', ${type}, ${new Date(fromMs)})`;
  };
  const erase = async (kind: "user_id" | "anonymous_id", id: string, untilMs: number): Promise<void> => {
    await store.sql`
      insert into erasures (project_id, subject_hash, kind, erased_until)
      values ('p', decode(${subjectHash("p", kind, id)}, 'hex'), ${kind}, ${new Date(untilMs)})`;
  };
  const names = async (): Promise<string[]> => {
    const rows = await store.sql`select event_id from events order by event_id`;
    return rows.map((row) => String(row["event_id"]));
  };
  const write = (...events: Sketch[]) => hand.write(0, recordOf(events));
  const sums = () => ledgerSums(store, hand.identity);

  it("is counted as expired when its time lies before what is retained", async () => {
    await retain(noon);
    const answer = await write({ name: "old", at: noon - 1 }, { name: "edge", at: noon }, { name: "new" });
    expect(answer).toMatchObject({ stored: 2, expired: 1, erased: 0, duplicate: 0, quarantined: 0 });
    expect(await names()).toEqual(["edge", "new"]);
    expect(await sums()).toEqual({ batches: 1, received: 3, stored: 2, expired: 1 });
  });

  it("is expired by its own type alone where only that one is bounded, and in no other project", async () => {
    await retain(noon, "click");
    await write(
      { name: "click", at: noon - hour, fields: { type: "click" } },
      { name: "other", at: noon - hour },
    );
    await hand.write(
      0,
      recordOf([{ name: "theirs", at: noon - hour, fields: { type: "click" } }], { project: "q" }),
    );
    expect(await names()).toEqual(["other", "theirs"]);
  });

  it("is counted as erased when its subject was, up to the time asked for", async () => {
    await erase("user_id", "u-1", noon);
    await erase("anonymous_id", "a-1", noon);
    const answer = await write(
      { name: "under", at: noon },
      { name: "later", at: noon + 1 },
      { name: "anonymous", at: noon, fields: { userId: null, anonymousId: "a-1" } },
      { name: "another", at: noon, fields: { userId: "u-2" } },
      // A kind is a part of the subject: a user of that name is somebody else.
      { name: "namesake", at: noon, fields: { userId: "a-1" } },
    );
    expect(answer).toMatchObject({ stored: 3, erased: 2 });
    expect(await names()).toEqual(["another", "later", "namesake"]);
  });

  it("takes its copies with it, and none of them is kept as a conflict", async () => {
    await erase("user_id", "u-1", noon);
    const answer = await write(
      { name: "gone", at: noon, content: "one" },
      { name: "gone", at: noon, content: "one" },
      { name: "gone", at: noon, content: "two" },
    );
    expect(answer).toMatchObject({ stored: 0, erased: 3, quarantined: 0 });
    expect(await sums()).toEqual({ batches: 1, received: 3, erased: 3 });
    expect(await countRows(store, "quarantine")).toBe(0);
    expect(await countRows(store, "fresh_events")).toBe(0);
  });

  it("is kept out as a moved event too, and leaves no trace of its identity", async () => {
    await retain(noon);
    const answer = await write({ name: "moved", at: noon - 90 * 24 * hour, movedTo: noon - hour });
    expect(answer).toMatchObject({ stored: 0, expired: 1 });
    expect(await countRows(store, "moved_events")).toBe(0);
    expect(await write({ name: "moved", at: noon - 90 * 24 * hour, movedTo: noon + hour })).toMatchObject({
      stored: 1,
    });
  });

  const fill = async (): Promise<void> => {
    const at = (minutes: number): number => noon - minutes * 60_000;
    await write(
      ...[1, 2, 3].map((day) => ({ name: `day-${day}`, at: noon - day * 24 * hour })),
      { name: "click", at: at(30), fields: { type: "click" } },
      { name: "theirs", at: at(20), fields: { userId: "u-2" } },
      { name: "moved", at: noon - 90 * 24 * hour, movedTo: at(10) },
      { name: "bad", refusal: { code: "time_ahead", pointer: "/timestamp", detail: "ahead" }, body: bad },
    );
  };
  const bad = Buffer.from(JSON.stringify({ type: "purchase", user_id: "u-1", timestamp: "2199-01-01" }));
  const closes = async (): Promise<void> => {
    for (const name of ["conservation", "equation", "moved", "quarantine"]) {
      const text = readFileSync(join(import.meta.dirname, `../../sql/checks/${name}.sql`), "utf8");
      expect(await store.sql.unsafe(text), name).toEqual([]);
    }
  };

  it("is removed with everything before a time, and the account still closes", async () => {
    await fill();
    expect(await expireEvents(store, { project: "p", actor: "test", from: noon - 36 * hour })).toEqual({
      rows: 2,
      quarantined: 0,
    });
    expect(await names()).toEqual(["click", "day-1", "moved", "theirs"]);
    await closes();
    // What comes again was stored once and is not stored again; an earlier bound changes nothing.
    expect(await write({ name: "day-3", at: noon - 72 * hour })).toMatchObject({ stored: 0, expired: 1 });
    expect(await expireEvents(store, { project: "p", actor: "test", from: noon - 60 * hour })).toMatchObject({
      rows: 0,
    });
    expect(await write({ name: "day-2", at: noon - 48 * hour })).toMatchObject({ stored: 0, expired: 1 });
    await closes();
  });

  it("is removed by its type alone", async () => {
    await fill();
    expect(
      await expireEvents(store, { project: "p", actor: "test", type: "click", from: noon }),
    ).toMatchObject({ rows: 1 });
    expect(await names()).toEqual(["day-1", "day-2", "day-3", "moved", "theirs"]);
    await closes();
  });

  it("is removed with its subject, from quarantine too, and no copy of it comes back", async () => {
    await fill();
    const erased = await eraseSubject(store, {
      project: "p",
      actor: "test",
      kind: "user_id",
      id: "u-1",
      until: noon + hour,
    });
    expect(erased).toEqual({ rows: 5, quarantined: 1 });
    expect(await names()).toEqual(["theirs"]);
    await closes();
    // The copy of a moved event has a later time than what was erased.
    const again = await write(
      { name: "day-1", at: noon - 24 * hour },
      { name: "moved", at: noon - 90 * 24 * hour, movedTo: noon + 2 * hour },
    );
    expect(again).toMatchObject({ stored: 0, erased: 1, duplicate: 1 });
    await closes();
    const [row] = await store.sql`select erasures::text as text from erasures`;
    expect(row?.["text"]).not.toContain("u-1");
  });

  it("is looked for in the days that have events alone, however far the span reaches", async () => {
    await write(
      { name: "ahead", at: noon + 90 * 24 * hour },
      { name: "now" },
      { name: "first", at: 12 * hour },
    );
    const far = Date.parse("9999-12-31");
    const subject = { project: "p", actor: "test", kind: "user_id", id: "u-1", until: far } as const;
    expect(await eraseSubject(store, subject)).toMatchObject({ rows: 3 });
    await closes();
  });

  it("is told as removed where the hours cannot be brought up to date behind it", async () => {
    await fill();
    let looks = 0;
    const broken: Store = Object.create(store, {
      close: { value: async () => {} },
      // The first look is of the migration.
      inspect: { value: () => (++looks > 1 ? Promise.reject(new Error("no room")) : store.inspect()) },
    });
    const program = new Command();
    registerLifecycle(program, { openStore: async () => broken } as unknown as AggregatorCommands);
    const out = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    const told = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await program.parseAsync(["expire", "--project", "p", "--before", iso(noon - 36 * hour)], {
        from: "user",
      });
      expect(out.mock.calls).toEqual([["removed 2 events\n"]]);
      expect(told.mock.calls.join("")).toMatch(/^hourly_dimensions shows it within 15 minutes.*no room\n$/);
      expect(process.exitCode).toBe(0);
    } finally {
      vi.restoreAllMocks();
    }
    expect(await names()).toEqual(["click", "day-1", "moved", "theirs"]);
  });

  it("is not missed by a writer that is at work while its bar is raised", async () => {
    let stored = 0;
    const writing = (async () => {
      for (let lot = 0; lot < 40; lot += 1) {
        await write(
          ...Array.from({ length: 20 }, (_unused, at) => ({ name: `w-${lot}-${at}`, at: noon - lot })),
        );
        stored = await countRows(store, "events");
      }
    })();
    await until("something is stored", 5_000, () => stored > 100);
    const erased = await eraseSubject(store, {
      project: "p",
      actor: "test",
      kind: "user_id",
      id: "u-1",
      until: noon,
    });
    await writing;
    expect(erased.rows).toBeGreaterThan(100);
    const counted = await sums();
    expect(counted).toEqual({ batches: 40, received: 800, stored: erased.rows, erased: 800 - erased.rows });
    expect(erased.rows).toBeLessThan(800);
    expect(await names()).toEqual([]);
    await closes();
  });
});
