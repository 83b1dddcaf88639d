// Whole local days, in one answer and page by page, held to a plain recount on random streams.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelTables } from "../../../aggregator/model/models.ts";
import { activeUsers } from "../../../aggregator/read/active-users.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import { events } from "../../../aggregator/read/events.ts";
import type { AnswerRow, Question } from "../../../aggregator/read/question.ts";
import { revenue } from "../../../aggregator/read/revenue.ts";
import { timeline } from "../../../aggregator/read/timeline.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { foldAll } from "../../support/fold-all.ts";
import { recordOf } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";
import type { Asked } from "./recount.ts";
import {
  beginOf,
  countActive,
  countPlans,
  countRevenue,
  countRolling,
  daysOn,
  listTimeline,
  type SaidRow,
} from "./recount-days.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const minute = 60_000;
const first = "2025-10-22";
const begin = Date.parse(first);
/** Clocks went back over midnight: in the Azores on 26 October 2025, in Havana on 2 November. */
const zones = ["UTC", "Atlantic/Azores", "America/Havana", "Europe/Berlin", "Asia/Kathmandu"];

const happened = fc.record({
  at: fc.oneof(
    fc.nat(14 * 24 * 60 * minute),
    fc
      .tuple(fc.constantFrom(4, 11), fc.integer({ min: -8, max: 28 }), fc.integer({ min: -1, max: 1 }))
      .map(([days, quarters, ms]) => (days * 96 + quarters) * 15 * minute + ms),
  ),
  user: fc.constantFrom(null, "ann", "bob", "d-1"),
  anonymous: fc.constantFrom(null, "d-1", "d-2", "ann"),
  type: fc.constantFrom("view", "view", "buy", "identify"),
  money: fc.constantFrom<[string | null, string | null][]>(
    [null, null],
    [null, "USD"],
    ["0.10", "USD"],
    ["-19.99", "EUR"],
    ["5", null],
  ),
  plan: fc.constantFrom(null, "", "=pro", 'a "b", c'),
  project: fc.constantFrom("p", "p", "q"),
});
type Happened = typeof happened extends fc.Arbitrary<infer One> ? One : never;

const asked = fc.record({
  day: fc.nat(13),
  length: fc.oneof(fc.nat(1), fc.nat(10)),
  tz: fc.constantFrom(...zones),
  users: fc.constantFrom("identified" as const, "all" as const, "linked" as const),
  project: fc.constantFrom(undefined, "p"),
  types: fc.constantFrom(undefined, undefined, ["view"]),
  interval: fc.constantFrom("day" as const, "week" as const, "month" as const),
  rolling: fc.constantFrom(1, 3, 28),
  person: fc.constantFrom("ann", "bob", "d-1"),
  limit: fc.integer({ min: 1, max: 4 }),
});

const folder = mkdtempSync(join(tmpdir(), "weir-recount-days-"));
let store: Store;
let hand: Hand;
beforeAll(async () => {
  store = await openScene("embedded:", folder);
  hand = await openHand(store);
}, 180_000);
afterAll(async () => {
  await hand.close();
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;

async function write(stream: readonly Happened[]): Promise<SaidRow[]> {
  await store.sql.unsafe(`truncate ${["events", ...modelTables].join(", ")}`);
  for (const project of ["p", "q"]) {
    const sketches = stream
      .filter((event) => event.project === project)
      .map(({ at, user: userId, anonymous: anonymousId, type, money, plan }) => {
        made += 1;
        const [paid, currency] = money;
        // No two identify a visitor at one time: which of them counts is then nobody's to say.
        const time = begin + at + (type === "identify" ? made % 1000 : 0);
        const fields = {
          userId,
          anonymousId,
          type,
          revenue: paid,
          currency,
          payload: JSON.stringify({ plan }),
        };
        return { name: `e-${made}`, at: time, fields };
      });
    if (sketches.length > 0) await hand.write(0, recordOf(sketches, { project }));
  }
  await foldAll(store);
  const rows = await store.sql<(Omit<SaidRow, "at"> & { at: Date })[]>`
    select id::text, event_time as at, project_id as project, type, user_id as user, anonymous_id as anonymous,
      session_id as session, country, revenue::text as revenue, currency, payload ->> 'plan' as plan
    from events`;
  return rows.map((row) => ({ ...row, at: row.at.getTime() }));
}

async function ask(question: Question, query: object) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const listed = Object.fromEntries(given.map(([name, value]) => [name, [String(value)]]));
  return await answer(store.sql, question, listed);
}

async function askPages(question: Question, query: object): Promise<AnswerRow[]> {
  const rows: AnswerRow[] = [];
  for (let cursor: unknown = ""; typeof cursor === "string"; ) {
    const { data, meta } = await ask(question, { ...query, cursor });
    rows.push(...data);
    cursor = meta.next_cursor;
  }
  return rows;
}

describe("whole local days", () => {
  it("are what a recount says, in one answer and page by page", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(happened, { minLength: 30, maxLength: 80 }),
        fc.array(asked, { minLength: 4, maxLength: 8 }),
        async (stream, questions) => {
          const rows = await write(stream);
          for (const { day, length, rolling, person, limit, interval, types, ...one } of questions) {
            const [from, to] = [daysOn(first, day), daysOn(first, day + length)];
            const span = { from: beginOf(from, one.tz), to: beginOf(daysOn(to, 1), one.tz) };
            const shared: Asked & { interval: typeof interval } = { ...one, ...span, types, interval };
            const bounds = { from, to, tz: one.tz, project: one.project };
            const query = { ...bounds, users: one.users, types: types?.join(",") };
            const active = await ask(activeUsers, { ...query, interval });
            expect(active.meta).toMatchObject({
              from: new Date(span.from).toISOString(),
              to: new Date(span.to).toISOString(),
            });
            expect(active.data).toEqual(countActive(rows, shared));
            expect((await ask(activeUsers, { ...query, rolling: `${rolling}d` })).data).toEqual(
              countRolling(rows, shared, rolling),
            );
            const byPlan = { ...query, interval, by: "property", property: "plan" };
            expect((await ask(events, byPlan)).data).toEqual(countPlans(rows, shared));
            expect(await askPages(events, { ...byPlan, limit })).toEqual(countPlans(rows, shared));
            expect((await ask(revenue, { ...query, interval })).data).toEqual(countRevenue(rows, shared));
            expect(await askPages(revenue, { ...query, interval, limit })).toEqual(
              countRevenue(rows, shared),
            );
            const told = await askPages(timeline, { ...bounds, person, limit });
            expect(told.map(({ id }) => id)).toEqual(listTimeline(rows, shared, person));
          }
        },
      ),
      // A stream is minutes to make smaller; the seed printed repeats it.
      { numRuns: isLong ? 200 : 8, endOnFailure: true },
    );
  }, 1_800_000);
});
