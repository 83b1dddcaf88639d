// Events and revenue by quarter hour: whatever is written, folded and erased in whatever order, the answers are a recount's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expireEvents } from "../../../aggregator/lifecycle/remove.ts";
import { activeUsers } from "../../../aggregator/read/active-users.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import { events } from "../../../aggregator/read/events.ts";
import { canModel, quarterMs } from "../../../aggregator/read/modelled.ts";
import type { Question } from "../../../aggregator/read/question.ts";
import { retention } from "../../../aggregator/read/retention.ts";
import { revenue } from "../../../aggregator/read/revenue.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { foldAll } from "../../support/fold-all.ts";
import { recordOf } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";
import { grouped, milli, milliOf, playSold, type Sold, soldFrom, soldSteps, soldTo } from "./sold.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-quarters-"));
const zones = [
  "UTC",
  "Europe/Berlin",
  "America/Havana",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "America/St_Johns",
];

describe("quarter hours", () => {
  let store: Store;
  let hand: Hand;
  let session: Sql;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    hand = await openHand(store);
    session = await store.writer();
  }, 180_000);
  afterAll(async () => {
    await session.end();
    await hand.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = (question: unknown, query: Record<string, string>) =>
    answer(
      store.sql,
      question as Question,
      Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value]])),
    );
  const rowsOf = async (question: unknown, query: Record<string, string>) =>
    (await ask(question, query)).data;

  it("add up to a recount in every time zone, whatever comes in whatever order", async () => {
    const asked = fc.record({
      tz: fc.constantFrom(...zones),
      users: fc.constantFrom("all", "identified"),
      project: fc.constantFrom("", "p", "q"),
      types: fc.constantFrom("", "purchase", "purchase,refund"),
      // On quarter hours and off them: the model answers the former, the events the latter.
      from: fc.integer({ min: 0, max: 300 }).map((quarter) => soldFrom + quarter * quarterMs),
      off: fc.constantFrom(0, 0, 1),
    });
    await fc.assert(
      fc.asyncProperty(
        soldSteps,
        fc.array(asked, { minLength: 3, maxLength: 3 }),
        async (steps, questions) => {
          const kept = await playSold({ store, hand, session }, steps);
          for (const { off, from, ...one } of questions) {
            const query = { ...one, from: String(from + off), to: String(soldTo + off) };
            const within = kept.filter(
              ({ at, user, type, project }) =>
                at >= from + off &&
                at < soldTo + off &&
                (one.users === "all" || user !== null) &&
                (one.types === "" || one.types.split(",").includes(type)) &&
                (one.project === "" || one.project === project),
            );
            expect(await rowsOf(events, query)).toEqual(countsOf(within, one.tz));
            expect((await rowsOf(revenue, query)).map(inMilli)).toEqual(sumsOf(within, one.tz));
          }
        },
      ),
      { numRuns: isLong ? 300 : 20 },
    );
  }, 900_000);

  it("tell how far they have come", async () => {
    await playSold({ store, hand, session }, []);
    const sale = (name: string) => recordOf([{ name, at: soldFrom }]);
    await hand.write(0, sale("told-1"));
    await foldAll(store);
    const before = Date.now();
    await hand.write(0, sale("told-2"));
    const after = Date.now() + 1;
    const query = { from: "2026-10-30", to: "2026-10-30" };
    const early = await ask(events, query);
    expect(early.data).toEqual([{ bucket: "2026-10-30", type: "purchase", events: 1 }]);
    expect(Date.parse(early.meta.as_of)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(early.meta.as_of)).toBeLessThanOrEqual(after);
    expect(Date.parse((await ask(events, { ...query, project: "q" })).meta.as_of)).toBeGreaterThanOrEqual(
      after - 1,
    );
    const raw = await ask(events, { ...query, users: "linked" });
    expect(raw.data).toEqual([{ bucket: "2026-10-30", type: "purchase", events: 2 }]);
    await foldAll(store);
    const late = await ask(events, query);
    expect(late.data).toEqual(raw.data);
    expect(Date.parse(late.meta.as_of)).toBeGreaterThanOrEqual(Date.parse(raw.meta.as_of));
  });

  it("answer every page of an answer, or none", async () => {
    await playSold({ store, hand, session }, []);
    const days = ["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"];
    await hand.write(
      0,
      recordOf(days.map((day) => ({ name: `paged-${day}`, at: Date.parse(`${day}T12:00:00Z`) }))),
    );
    for (const question of [events, revenue]) {
      const whole = { from: "2026-10-30T00:00:00.001Z", to: "2026-11-02" };
      const found: unknown[] = [];
      for (let cursor: unknown = ""; typeof cursor === "string"; ) {
        const { data, meta } = await ask(question, { ...whole, limit: "1", cursor });
        found.push(...data.map((row) => row["bucket"]));
        cursor = meta.next_cursor;
      }
      expect(found).toEqual(days);
    }
  });

  it("keep what expired", async () => {
    await playSold({ store, hand, session }, []);
    await hand.write(
      0,
      recordOf([{ name: "kept-1", at: soldFrom }]),
      recordOf([{ name: "kept-2", at: soldTo }]),
    );
    await foldAll(store);
    await expireEvents(store, { project: "p", actor: "t", from: soldTo });
    await foldAll(store);
    const rows = await rowsOf(events, { from: "2026-10-01", to: "2026-11-30" });
    expect(rows.map((row) => row["bucket"])).toEqual(["2026-10-30", "2026-11-03"]);
    // Every other question of a model has those days, too.
    const span = { from: "2026-10-30", to: "2026-11-03" };
    expect(await rowsOf(activeUsers, span)).toEqual([
      { bucket: "2026-10-30", active_users: 1 },
      { bucket: "2026-11-03", active_users: 1 },
    ]);
    expect(await rowsOf(activeUsers, { ...span, rolling: "2d" })).toMatchObject([
      { bucket: "2026-10-30", active_users: 1 },
      { bucket: "2026-10-31", active_users: 1 },
      { bucket: "2026-11-03", active_users: 1 },
    ]);
    expect(await rowsOf(retention, span)).toEqual([
      { cohort: "2026-10-30", size: 1, retained: [1, 0, 0, 0, 1] },
    ]);
  });

  it("hold every time zone's midnights since 1980, as PostgreSQL and this runtime know them", async () => {
    const rows = await store.sql`
      select distinct name
      from pg_timezone_names, generate_series('1980-01-01'::timestamptz, '2040-01-01', '40 days') as moment
      where mod(extract(epoch from (moment at time zone name) - (moment at time zone 'UTC'))::int, 900) <> 0`;
    expect(rows.map((row) => row["name"])).toEqual([]);
    const off = Intl.supportedValuesOf("timeZone").filter((zone) => {
      const minutes = new Intl.DateTimeFormat("en", {
        timeZone: zone,
        timeStyle: "medium",
        hourCycle: "h23",
      });
      return Array.from({ length: 120 }, (_, half) => Date.UTC(1980 + half / 2, (half % 2) * 6, 1)).some(
        (moment) => !/^\d\d:(00|15|30|45):00$/.test(minutes.format(moment)),
      );
    });
    expect(off).toEqual([]);
  }, 120_000);

  it("are left for the events where a zone was off them", async () => {
    await playSold({ store, hand, session }, []);
    // Monrovia was 44 minutes and 30 seconds behind until 1972.
    const midnight = Date.UTC(1971, 5, 1, 0, 44, 30);
    const sales = [midnight - 1, midnight].map((at) => recordOf([{ name: `monrovia-${at}`, at }]));
    await hand.write(0, ...sales);
    await foldAll(store);
    const rows = await rowsOf(events, { from: "1971-05-30", to: "1971-06-02", tz: "Africa/Monrovia" });
    expect(rows.map(({ bucket, events: count }) => [bucket, count])).toEqual([
      ["1971-05-31", 1],
      ["1971-06-01", 1],
    ]);
  });
});

const range = { from: soldFrom, to: soldTo, asOf: soldTo, stored: undefined };

it.each([
  ["a whole span", { users: "all", tz: "Europe/Berlin" }, range, true],
  ["linked people", { users: "linked", tz: "UTC" }, range, false],
  [
    "a span that begins off a quarter hour",
    { users: "all", tz: "UTC" },
    { ...range, from: soldFrom + 1 },
    false,
  ],
  ["a span that ends off a quarter hour", { users: "all", tz: "UTC" }, { ...range, to: soldTo - 1 }, false],
  ["a zone's early years", { users: "all", tz: "Africa/Monrovia" }, { ...range, from: 0 }, false],
  ["early years in UTC", { users: "identified", tz: "UTC" }, { ...range, from: 0 }, true],
] as const)("%s: whether a model can answer", (_, asked, span, can) => {
  expect(canModel(asked, span)).toBe(can);
});

const dayIn = (tz: string): ((at: number) => string) => {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: tz, dateStyle: "short" });
  return (at) => format.format(at);
};

function countsOf(rows: readonly Sold[], tz: string): unknown[] {
  const day = dayIn(tz);
  return grouped(rows, ({ at, type }) => [day(at), type])
    .map(([key, group]) => [...(JSON.parse(key) as string[]), group.length] as const)
    .sort()
    .map(([bucket, type, count]) => ({ bucket, type, events: count }));
}

function sumsOf(rows: readonly Sold[], tz: string): unknown[] {
  const day = dayIn(tz);
  const paid = rows.filter((row) => row.revenue !== null);
  const orderOf = ([bucket, currency]: readonly (string | null)[]) => `${bucket} ${currency ?? "~"}`;
  return grouped(paid, ({ at, currency }) => [day(at), currency])
    .map(([key, group]) => ({ place: JSON.parse(key) as (string | null)[], sum: milliOf(group) }))
    .sort((one, other) => (orderOf(one.place) < orderOf(other.place) ? -1 : 1))
    .map(({ place: [bucket, currency], sum }) => ({ bucket, currency, revenue: sum }));
}

const inMilli = (row: Readonly<Record<string, unknown>>) => ({
  ...row,
  revenue: milli(row["revenue"] as number),
});
