// Times of steps folded in any order and pieces, and the funnels made of them, held to a recount.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import type { Model } from "../../../aggregator/model/model.ts";
import { personSessions } from "../../../aggregator/model/sessions.ts";
import { stepTimes } from "../../../aggregator/model/step-times.ts";
import { funnel } from "../../../aggregator/read/funnel.ts";
import type { Path } from "../../../aggregator/read/funnel-depth.ts";
import { sessionGapMs } from "../../../aggregator/read/sessions-raw.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { closeScene, openScene } from "../scene.ts";
import {
  add,
  byPerson,
  dayMs,
  type Happened,
  personOf,
  play,
  type Step,
  steps,
  streamsFrom,
  streamsTo,
} from "./streams.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-step-times-"));

interface Asked extends Pick<Path, "entry" | "order"> {
  steps: string[];
  users: "identified" | "all";
  from: number;
  to: number;
  windowMs: number | "session";
  project?: string | undefined;
}

/** When the session ends that somebody is in. */
function sessionEnd(events: readonly Happened[], at: number): number {
  const next = events.find((one) => one.at > at);
  return next === undefined || next.at - at > sessionGapMs ? at : sessionEnd(events, next.at);
}

/** The greatest depth of one person's events, every way tried. */
function depthOf(events: readonly Happened[], { steps: path, entry, order, windowMs }: Asked): number {
  const walk = (last: Happened, until: number, depth: number): number => {
    const next = events.filter(
      ({ at, type }) =>
        type === path[depth] &&
        at > last.at &&
        at <= until &&
        (order === "any" ||
          !events.some((other) => isBetween(other, last.at, at, path.slice(depth - 1, depth + 1)))),
    );
    return Math.max(depth, ...next.map((each) => walk(each, until, depth + 1)));
  };
  const isBetween = (other: Happened, after: number, before: number, own: string[]) =>
    other.at > after && other.at < before && path.includes(other.type) && !own.includes(other.type);
  const begun = events.filter(({ type }) => type === path[0]);
  const entries = entry === "any" ? begun : begun.slice(0, 1);
  const untilOf = (at: number) => (windowMs === "session" ? sessionEnd(events, at) : at + windowMs);
  return Math.max(0, ...entries.map((each) => walk(each, untilOf(each.at), 1)));
}

const asked: fc.Arbitrary<Asked> = fc
  .record({
    steps: fc.array(fc.constantFrom("view", "cart", "buy"), { minLength: 2, maxLength: 4 }),
    users: fc.constantFrom("identified" as const, "all" as const),
    entry: fc.constantFrom("first" as const, "any" as const),
    order: fc.constantFrom("any" as const, "strict" as const),
    bounds: fc.uniqueArray(fc.integer({ min: -1, max: 5 * 96 }), { minLength: 2, maxLength: 2 }),
    quarters: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant("session" as const)),
    project: fc.constantFrom(undefined, "p"),
  })
  .map(({ bounds, quarters, ...rest }) => ({
    ...rest,
    windowMs: quarters === "session" ? quarters : quarters * 900_000,
    from: streamsFrom + Math.min(...bounds) * 900_000,
    to: streamsFrom + Math.max(...bounds) * 900_000,
  }));

/** Sessions are of a model of their own. */
const model: Model = {
  ...stepTimes,
  async fold(tx) {
    await stepTimes.fold(tx);
    await personSessions.fold(tx);
  },
  async clear(tx, day) {
    await stepTimes.clear(tx, day);
    await personSessions.clear(tx, day);
  },
};

describe("times of steps", () => {
  let store: Store;
  let session: Sql;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    await store.sql`create table events_given partition of events default`;
    session = await store.writer();
  }, 180_000);
  afterAll(async () => {
    await session.end();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  const replay = async (played: readonly Step[]) => {
    await store.sql`truncate person_sessions`;
    return await play({ store, session, model }, played);
  };
  /** People who took each step, as the question answers. */
  const answered = async ({ windowMs, from, to, ...question }: Asked) => {
    const range = { from, to, asOf: to, stored: { first: streamsFrom, last: streamsTo } };
    const rows = await store.sql.begin((tx) =>
      funnel.ask(tx, { ...question, window: windowMs, tz: "UTC", format: "json" }, range),
    );
    return rows.map((row) => row["users"]);
  };
  const recounted = (kept: readonly Happened[], question: Asked) => {
    const within = kept.filter(({ at }) => at >= question.from && at < question.to);
    const depths = [...byPerson(within, question.users).values()].map((own) => depthOf(own, question));
    return question.steps.map((_, at) => depths.filter((depth) => depth > at).length);
  };

  it("equal a recount, and so do the funnels, whatever comes in whatever order", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.array(asked, { minLength: 8, maxLength: 8 }), async (played, questions) => {
        const kept = await replay(played);
        const rows = await store.sql`
          select distinct person, type, is_identified,
            day::timestamp at time zone 'UTC' + interval '1 millisecond' * (moment & 134217727) as moment
          from step_times s
          cross join unnest(firsts || others) as moment
          join persons p on p.project_id = s.project_id and p.number = moment >> 27`;
        const told = rows.map(
          (row) =>
            `${row["person"]} ${row["type"]} ${row["is_identified"]} ${(row["moment"] as Date).getTime()}`,
        );
        const expected = kept
          .filter((one) => personOf(one) !== null)
          .map((one) => `${personOf(one)} ${one.type} ${one.user !== null} ${one.at}`);
        expect(told.sort()).toEqual([...new Set(expected)].sort());
        const [faults] = await store.sql`
          select count(*)::int as count
          from step_times s
          where firsts <> (select array_agg(moment order by moment) from unnest(firsts) as moment)
            or others <> (select array_agg(moment order by moment) from unnest(others) as moment)
            or events <> cardinality(firsts || others)
            or cardinality(firsts) <> (select count(distinct moment >> 27) from unnest(firsts || others) as moment)
            or exists (
              select 1
              from unnest(firsts) as own (first)
              join unnest(others) as other on other >> 27 = first >> 27
              where other < first
            )`;
        expect(faults).toEqual({ count: 0 });
        for (const question of questions) {
          expect(await answered(question)).toEqual(recounted(kept, question));
        }
      }),
      { numRuns: isLong ? 300 : 25 },
    );
  }, 900_000);

  it("let a step be no earlier than strictly behind the one before, up to the window's last moment", async () => {
    const at = (minutes: number, type: string): Happened => ({
      at: streamsFrom + 2 * dayMs - minutes * 60_000,
      type,
      user: "a",
      anonymous: null,
    });
    const events = [at(90, "view"), at(90, "cart"), at(60, "cart"), at(30, "buy")];
    await replay([{ kind: "store", events }]);
    const question = {
      users: "all",
      entry: "first",
      order: "any",
      from: streamsFrom,
      to: streamsTo,
    } as const;
    const ask = (steps: string[], minutes: number) =>
      answered({ ...question, steps, windowMs: minutes * 60_000 });
    expect(await ask(["view", "cart", "buy"], 60)).toEqual([1, 1, 1]);
    expect(await ask(["view", "cart", "buy"], 59)).toEqual([1, 1, 0]);
    expect(await ask(["cart", "view"], 60)).toEqual([1, 0]);
  });

  it("begin with the first step 1 of the span, wherever its part lies and whatever it has", async () => {
    const at = (minutes: number, type: string): Happened => ({
      at: streamsFrom + minutes * 60_000,
      type,
      user: "a",
      anonymous: null,
    });
    const ask = (fromMinutes: number) =>
      answered({
        steps: ["view", "cart"],
        users: "all",
        entry: "first",
        order: "any",
        windowMs: 10 * 60_000,
        from: streamsFrom + fromMinutes * 60_000,
        to: streamsTo,
      });
    await replay([{ kind: "store", events: [at(1, "view"), at(15, "view"), at(22, "cart")] }]);
    expect(await ask(0)).toEqual([1, 0]);
    expect(await ask(2)).toEqual([1, 1]);
    // Each piece is a part of its own, and tells of an earlier view than all before.
    const pieces = Array.from({ length: 12 }, (_, piece): Step[] => [
      { kind: "store", events: [at(20 - piece, "view")] },
      { kind: "fold", idsMax: 10 },
    ]).flat();
    await replay([{ kind: "store", events: [at(22, "cart")] }, ...pieces]);
    expect([...(await store.sql`select 1 from step_times where type = 'view'`)]).toHaveLength(12);
    expect(await ask(0)).toEqual([1, 0]);
    expect(await ask(12)).toEqual([1, 1]);
  });

  it("are of every project, however many there are", async () => {
    await replay([]);
    const question = { steps: ["view", "cart"], users: "all", entry: "first", order: "any" } as const;
    const ask = () =>
      answered({
        ...question,
        steps: [...question.steps],
        windowMs: dayMs,
        from: streamsFrom,
        to: streamsTo,
      });
    for (const projects of [60, 70]) {
      await store.sql`
        insert into step_times (type, day, project_id, is_identified, events, firsts, others)
        select type, ${new Date(streamsFrom)}::timestamptz::date, 'project-' || n, true, 1,
          array[(1::bigint << 27) | at], '{}'
        from generate_series(1, ${projects}::int) as n
        cross join (values ('view', 1000), ('cart', 2000)) as did (type, at)
        where n % 2 = 0 or type = 'view'`;
      expect(await ask()).toEqual([projects, projects / 2]);
      await store.sql`truncate step_times`;
    }
  });

  it("are joined while they come in many small pieces, and a day of many lies in several", async () => {
    const each = (at: number): Happened => ({
      at: streamsFrom + at,
      type: "view",
      user: at % 3 === 0 ? "a" : "b",
      anonymous: null,
    });
    const pieces = Array.from({ length: 40 }, (_, at): Step[] => [
      { kind: "store", events: [each(at), each(at + 100)] },
      { kind: "fold", idsMax: 10 },
    ]).flat();
    await replay(pieces);
    const parts = () =>
      store.sql`select events, cardinality(firsts) as firsts from step_times order by events desc`;
    expect([...(await parts())].map((row) => row["events"])).toEqual([32, 32, ...Array(8).fill(2)]);
    await replay([{ kind: "store", events: Array.from({ length: 20_000 }, (_, at) => each(at)) }]);
    expect([...(await parts())]).toEqual([
      { events: 16_384, firsts: 2 },
      { events: 3_616, firsts: 0 },
    ]);
  }, 120_000);

  it("are of everybody, however many people there are", async () => {
    const at = (minutes: number, type: string, user: string): Happened => ({
      at: streamsFrom + minutes * 60_000,
      type,
      user,
      anonymous: null,
    });
    await replay([
      { kind: "store", events: [at(1, "view", "a"), at(2, "cart", "a"), at(3, "view", "b")] },
      { kind: "fold", idsMax: 10 },
    ]);
    // Numbers go on behind the greatest one.
    await store.sql`insert into persons (project_id, number, person) values ('p', ${2 ** 22}, 'last')`;
    await add(store, [at(1, "view", "c"), at(3, "cart", "c"), at(2, "view", "d"), at(2, "cart", "d")]);
    await foldStep(session, [model]);
    for (const entry of ["first", "any"] as const) {
      const question = { users: "all", entry, order: "any", windowMs: dayMs } as const;
      const span = { from: streamsFrom, to: streamsTo };
      expect(await answered({ ...question, ...span, steps: ["view", "cart"] })).toEqual([4, 2]);
    }
  });
});
