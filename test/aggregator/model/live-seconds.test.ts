// The last hour by the second: whatever comes in whatever order, the windows of now are a recount's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraseSubject } from "../../../aggregator/lifecycle/remove.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { liveSeconds } from "../../../aggregator/model/live-seconds.ts";
import { modelTables } from "../../../aggregator/model/models.ts";
import { createLive, type Live } from "../../../aggregator/read/live.ts";
import type { HourAsked } from "../../../aggregator/read/live-hour.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { recordOf, type Sketch } from "../records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "../scene.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-live-"));
const minuteMs = 60_000;
const windowMs = { "1m": minuteMs, "5m": 5 * minuteMs, "15m": 15 * minuteMs, "1h": 60 * minuteMs };
const conversionTypes = ["purchase", "refund"];

/** How long ago it happened: mostly within an hour, near a window's edge, before all of them, or ahead of the clock. */
const ago = fc.oneof(
  fc.integer({ min: 0, max: 3_700_000 }),
  fc.integer({ min: -20_000, max: 20_000 }),
  fc
    .tuple(fc.constantFrom(...Object.values(windowMs)), fc.integer({ min: -9_000, max: 9_000 }))
    .map(([edge, off]) => edge + off),
  fc.integer({ min: -600_000, max: 90_000_000 }),
);
const person = fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: null });
const happened = fc.record({
  ago,
  type: fc.constantFrom("purchase", "refund", "view"),
  user: person,
  anonymous: person,
});

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      project: fc.constantFrom("p", "p", "q"),
      events: fc.array(happened, { minLength: 1, maxLength: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("copy" as const), seed: fc.nat(100) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("fold" as const), idsMax: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("look" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("erase" as const), user: fc.constantFrom("a", "b"), ago }),
  },
);

const asked: fc.Arbitrary<HourAsked> = fc.record({
  project: fc.constantFrom(undefined, undefined, "p", "q"),
  types: fc.constantFrom(undefined, undefined, ["purchase"], ["view", "refund"]),
  users: fc.constantFrom("all" as const, "identified" as const),
});

interface Stored {
  project: string;
  at: number;
  type: string;
  user: string | null;
  person: string | null;
}

describe("the windows of now", () => {
  let store: Store;
  let hand: Hand;
  let session: Sql;
  let live: Live;
  let made = 0;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    hand = await openHand(store);
    session = await store.writer();
    live = createLive({ sql: store.sql, conversionTypes });
  }, 180_000);
  afterAll(async () => {
    await session.end();
    await hand.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  const empty = () =>
    store.sql.unsafe(
      `truncate ${[...modelTables, "events", "row_removals", "erasures", "retained_from"].join(", ")}`,
    );
  const foldAll = async (): Promise<void> => {
    for (;;) {
      const folded = await foldStep(session, [liveSeconds]);
      if (folded !== "busy" && folded.events + folded.days === 0) return;
    }
  };

  async function play(steps: readonly (typeof step extends fc.Arbitrary<infer One> ? One : never)[]) {
    const written: { project: string; sketches: Sketch[] }[] = [];
    for (const one of steps) {
      if (one.kind === "fold") await foldStep(session, [liveSeconds], one.idsMax);
      // The reader goes on from whatever it has seen.
      if (one.kind === "look") await live.look(false);
      if (one.kind === "erase") {
        const until = Date.now() - one.ago;
        await eraseSubject(store, { project: "p", actor: "t", kind: "user_id", id: one.user, until });
      }
      if (one.kind === "write") {
        const now = Date.now();
        const sketches = one.events.map(({ ago: back, type, user, anonymous }) => {
          made += 1;
          const fields = { type, userId: user, anonymousId: anonymous };
          return { name: `live-${made}`, at: now - back, fields };
        });
        written.push({ project: one.project, sketches });
        await hand.write(0, recordOf(sketches, { project: one.project }));
      }
      if (one.kind === "copy" && written.length > 0) {
        const { project, sketches } = written[one.seed % written.length]!;
        await hand.write(1, recordOf(sketches.slice(one.seed % sketches.length), { project }));
      }
    }
    await foldAll();
  }

  const storedNow = () => store.sql<Stored[]>`
    select project_id as project, (extract(epoch from event_time) * 1000)::float8 as at, type, user_id as "user",
      coalesce(user_id, anonymous_id) as person
    from events`;

  function recount(rows: readonly Stored[], { project, types, users }: HourAsked, to: number): unknown[] {
    return Object.entries(windowMs).map(([window, ms]) => {
      const own = rows.filter(
        (row) =>
          row.at >= to - ms &&
          row.at < to &&
          (project === undefined || row.project === project) &&
          (types?.includes(row.type) ?? true) &&
          (users === "all" || row.user !== null),
      );
      const people = own.filter((row) => row.person !== null).map((row) => `${row.project}/${row.person}`);
      const conversions = own.filter(({ type }) => conversionTypes.includes(type)).length;
      return { window, active_users: new Set(people).size, events: own.length, conversions };
    });
  }

  it("are a recount, whatever comes in whatever order", async () => {
    let most = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 12 }),
        fc.array(asked, { minLength: 4, maxLength: 4 }),
        async (steps, questions) => {
          await empty();
          await play(steps);
          const rows = await storedNow();
          const look = await live.look(false);
          for (const question of questions) {
            const { data, meta } = look.answer(question);
            expect(data).toEqual(recount(rows, question, Date.parse(meta.to!)));
            most = Math.max(most, Number(data[3]!["active_users"]));
          }
        },
      ),
      { numRuns: isLong ? 400 : 25 },
    );
    expect(most).toBeGreaterThan(3);
  }, 900_000);

  it("are the same to whoever looks on and to whoever looks for the first time", async () => {
    await empty();
    const write = async (at: number, type: string) => {
      made += 1;
      await hand.write(0, recordOf([{ name: `live-${made}`, at, fields: { type } }]));
      await foldAll();
    };
    await write(Date.now() - 30_000, "view");
    await live.look(false);
    await write(Date.now() - 400_000, "purchase");
    await eraseSubject(store, {
      project: "p",
      actor: "t",
      kind: "user_id",
      id: "u-1",
      until: Date.now() - 300_000,
    });
    await foldAll();
    const [onward, anew] = await Promise.all([
      live.look(false),
      createLive({ sql: store.sql, conversionTypes }).look(false),
    ]);
    const everybody: HourAsked = { users: "all" };
    expect(onward.answer(everybody).data.map((row) => row["events"])).toEqual([1, 1, 1, 1]);
    expect(onward.answer(everybody).data).toEqual(anew.answer(everybody).data);
  }, 60_000);

  it("cost nothing where events are older than an hour, and keep no more than an hour", async () => {
    await empty();
    await hand.write(
      0,
      recordOf([
        { name: "old", at: Date.now() - 3_700_000 },
        { name: "new", at: Date.now() - 1_000 },
      ]),
    );
    await foldAll();
    expect(await countRows(store, "live_seconds")).toBe(1);
    await store.sql`update live_seconds set second = second - interval '61 minutes'`;
    await store.sql`update live_folds set folded_at = folded_at - interval '6 minutes'`;
    await hand.write(0, recordOf([{ name: "newer", at: Date.now() - 500 }]));
    await foldAll();
    expect(await countRows(store, "live_seconds")).toBe(1);
    expect(await countRows(store, "live_folds")).toBe(1);
  }, 60_000);

  it("say how far they have come", async () => {
    await empty();
    await hand.write(0, recordOf([{ name: "told", at: Date.now() - 1_000 }], { project: "q" }));
    const after = Date.now();
    const look = await live.look(false);
    expect(look.answer({ users: "all" }).data.map((row) => row["events"])).toEqual([0, 0, 0, 0]);
    expect(Date.parse(look.answer({ users: "all" }).meta.as_of)).toBeLessThanOrEqual(after);
    const other = look.answer({ users: "all", project: "p" }).meta;
    expect(Date.parse(other.as_of)).toBeGreaterThanOrEqual(Date.parse(other.to!));
  }, 60_000);

  it("name the newest events that were stored since the last look", async () => {
    await empty();
    await live.look(true);
    const sketches = Array.from({ length: 60 }, (_, at) => ({
      name: `tail-${at}`,
      at: Date.now() - 61_000 + at,
    }));
    await hand.write(0, recordOf(sketches));
    await foldAll();
    const { tail } = await live.look(true);
    expect(tail.events).toHaveLength(50);
    expect(tail.events[0]).toMatchObject({
      project: "p",
      type: "purchase",
      user_id: "u-1",
      revenue: 15.3,
      currency: "GBP",
    });
    expect(tail.stored).toEqual(new Map([["p", 60]]));
    expect((await live.look(true)).tail.events).toEqual([]);
  }, 60_000);
});
