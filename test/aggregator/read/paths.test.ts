// Paths, held to a plain recount on random streams of late and repeated events.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelTables } from "../../../aggregator/model/models.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import { toCsv } from "../../../aggregator/read/csv.ts";
import { paths } from "../../../aggregator/read/paths.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { foldAll } from "../../support/fold-all.ts";
import { describeWith, serviceUrl } from "../../support/services.ts";
import { recordOf } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";
import { type Asked, people, type Row, split } from "./recount.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const minute = 60_000;
const day = 24 * 60 * minute;
const begin = Date.parse("2026-03-06T00:00:00Z");

const happened = fc.record({
  // Many near one another, some exactly as far apart as a session allows, and some at one time.
  at: fc.oneof(
    fc.nat(10 * day).map((ms) => begin + ms),
    fc
      .tuple(fc.constantFrom(0, 2), fc.nat(12), fc.integer({ min: -1, max: 1 }))
      .map(([days, halves, ms]) => begin + days * day + halves * 30 * minute + ms),
  ),
  user: fc.constantFrom(null, "ann", "bob"),
  anonymous: fc.constantFrom(null, "d-1", "ann"),
  type: fc.constantFrom<string[]>("view", "view", "cart", "buy", "help", "identify"),
  project: fc.constantFrom("p", "p", "p", "q"),
  isTwice: fc.boolean(),
});
type Happened = typeof happened extends fc.Arbitrary<infer One> ? One : never;

const asked = fc.record({
  from: fc.constantFrom(begin, begin + 45 * minute, begin + 2 * day),
  users: fc.constantFrom("identified" as const, "all" as const, "linked" as const),
  project: fc.constantFrom(undefined, "p"),
  types: fc.constantFrom<(string[] | undefined)[]>(undefined, undefined, ["view", "buy"]),
  anchor: fc.constantFrom("view", "cart", "buy"),
  isBackward: fc.boolean(),
  steps: fc.integer({ min: 2, max: 6 }),
  within: fc.constantFrom<readonly [string, number | "session"]>(
    ["30m", 30 * minute],
    ["3h", 180 * minute],
    ["30d", 30 * day],
    ["session", "session"],
    ["session", "session"],
  ),
  entry: fc.constantFrom("first" as const, "any" as const),
  repeats: fc.constantFrom("once" as const, "each" as const),
});
type PathsAsked = typeof asked extends fc.Arbitrary<infer One> ? One : never;

/** Every person's events one after the other, every path from every place of them. */
function recount(rows: readonly Row[], one: PathsAsked, span: Asked): unknown[] {
  const { anchor, isBackward, within, steps } = one;
  const [, reach] = within;
  const found = new Map<string, { path: string[]; people: Set<number>; times: number; ended: number }>();
  for (const [person, all] of people(rows, span).entries()) {
    const own = all
      .filter(({ at }) => at >= span.from && at < span.to)
      .toSorted((a, b) => a.at - b.at || (a.type < b.type ? -1 : a.type > b.type ? 1 : 0))
      .filter((row, at, sorted) => sorted[at - 1]?.at !== row.at || sorted[at - 1]?.type !== row.type);
    const pieces = reach === "session" ? split(own) : [own];
    const ways = pieces.flatMap((piece) => {
      const chosen = piece.filter(({ type }) => type === anchor || (one.types?.includes(type) ?? true));
      const kept = chosen.filter((row, at) => one.repeats === "each" || chosen[at - 1]?.type !== row.type);
      return kept.flatMap((row, at) => {
        if (row.type !== anchor) return [];
        const away = isBackward ? kept.slice(0, at + 1).toReversed() : kept.slice(at);
        const near = away.filter((each) => reach === "session" || Math.abs(each.at - row.at) <= reach);
        return [near.slice(0, steps).map(({ type }) => type)];
      });
    });
    for (const way of one.entry === "first" ? ways.slice(0, 1) : ways) {
      for (let depth = 1; depth <= way.length; depth += 1) {
        const path = way.slice(0, depth);
        const row = found.get(path.join()) ?? { path, people: new Set(), times: 0, ended: 0 };
        found.set(path.join(), row);
        row.people.add(person);
        row.times += 1;
        row.ended += depth === way.length && depth < steps ? 1 : 0;
      }
    }
  }
  const sorted = [...found.values()].toSorted(
    (a, b) =>
      b.people.size - a.people.size ||
      b.times - a.times ||
      a.path.length - b.path.length ||
      (a.path.join() < b.path.join() ? -1 : 1),
  );
  return sorted.map(({ path, people: users, times, ended }) => ({
    depth: path.length,
    path: isBackward ? path.toReversed() : path,
    ...{ users: users.size, times, ended },
    share: users.size / sorted[0]!.people.size,
  }));
}

let made = 0;

function suite(open: () => Promise<Store>, numRuns: number): void {
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await open();
    hand = await openHand(store);
  }, 180_000);
  afterAll(async () => {
    await hand?.close();
    if (store !== undefined) await closeScene(store);
  });

  /** Takes away what there is and writes the events as they come, some of them once more in a later record. */
  async function write(events: readonly Happened[]): Promise<void> {
    await store.sql.unsafe(`truncate ${["events", ...modelTables].join(", ")}`);
    for (const project of ["p", "q"]) {
      const own = events
        .filter((event) => event.project === project)
        .map(({ at, user: userId, anonymous: anonymousId, type, isTwice }) => {
          made += 1;
          const time = type === "identify" ? at + (made % 1000) : at;
          const sketch = { name: `e-${made}`, at: time, fields: { userId, anonymousId, type } };
          return { sketch, isTwice };
        });
      for (const some of [own, own.filter(({ isTwice }) => isTwice)]) {
        const sketches = some.map(({ sketch }) => sketch);
        if (sketches.length > 0) await hand.write(0, recordOf(sketches, { project }));
      }
    }
    await foldAll(store);
  }

  async function ask(query: object) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const listed = Object.fromEntries(given.map(([name, value]) => [name, [String(value)]]));
    const { data } = await answer(store.sql, paths, listed);
    for (const row of data) paths.row.parse(row);
    return data;
  }

  it("are what a recount says, from a type on and up to one", async () => {
    const questions = fc.array(asked, { minLength: 6, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(happened, { minLength: 5, maxLength: 60 }),
        questions,
        async (events, questions) => {
          await write(events);
          const rows = await store.sql<(Omit<Row, "at"> & { at: Date })[]>`
            select id::text, event_time as at, project_id as project, type, user_id as user,
              anonymous_id as anonymous, session_id as session, country
            from events`;
          const kept = rows.map((row) => ({ ...row, at: row.at.getTime() }));
          for (const one of questions) {
            const { from, users, project, types, anchor, isBackward, steps, within, entry, repeats } = one;
            const span = { from, to: begin + 9 * day, tz: "UTC", users, project };
            const query = { ...span, types, steps, within: within[0], entry, repeats, limit: 1_000 };
            const expected = recount(kept, one, span);
            expect(await ask({ ...query, [isBackward ? "end" : "start"]: anchor })).toEqual(expected);
          }
        },
      ),
      { numRuns },
    );
  }, 900_000);

  it("come with every path before them, however few are asked for, and as CSV", async () => {
    const events = ["view", "view", "cart", "buy"].map(
      (type, at): Happened => ({
        ...{ at: begin + at, user: "ann", anonymous: null, type, project: "p", isTwice: false },
      }),
    );
    await write(events);
    const rows = await ask({ start: "view", from: begin, to: begin + day, limit: 2 });
    expect(rows.map(({ path }) => path)).toEqual([["view"], ["view", "cart"]]);
    expect(toCsv(["depth", "path"], rows)).toBe("depth,path_0,path_1\r\n1,view,\r\n2,view,cart\r\n");
    const before = await ask({ end: "buy", from: begin, to: begin + day, repeats: "each" });
    expect(before.at(-1)!["path"]).toEqual(["view", "view", "cart", "buy"]);
  });

  it.each([{}, { start: "a", end: "b" }])("begin or end with one type: %o", async (query) => {
    await expect(ask(query)).rejects.toMatchObject({ code: "invalid_query" });
  });
}

const folder = mkdtempSync(join(tmpdir(), "weir-paths-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
describe("paths", () => suite(() => openScene(`embedded:${folder}/postgres`), isLong ? 100 : 20));
describeWith(["timescale"], "paths on TimescaleDB", () => suite(() => openScene(serviceUrl("timescale")), 5));
