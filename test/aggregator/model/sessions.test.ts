// Sessions folded in any order and pieces, held to a recount.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { personSessions } from "../../../aggregator/model/sessions.ts";
import { sessionsSource } from "../../../aggregator/read/sessions-modelled.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { closeScene, openScene } from "../scene.ts";
import { byPerson, dayMs, type Happened, play, type Step, steps, streamsFrom, streamsTo } from "./streams.ts";

const gapMs = 1_800_000;
const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-sessions-"));

interface Session {
  person: string;
  started: number;
  ended: number;
  events: number;
}

// One after the other: the naive way.
function sessionsOf(events: readonly Happened[], users: "identified" | "all"): Session[] {
  return [...byPerson(events, users)].flatMap(([person, own]) => {
    const sessions: Session[] = [];
    for (const { at } of own) {
      const last = sessions.at(-1);
      if (last === undefined || at - last.ended > gapMs) {
        sessions.push({ person, started: at, ended: at, events: 1 });
      } else {
        last.ended = at;
        last.events += 1;
      }
    }
    return sessions;
  });
}

const sorted = (sessions: readonly Session[]): string[] =>
  sessions.map(({ person, started, ended, events }) => `${person} ${started} ${ended} ${events}`).sort();

describe("sessions of people", () => {
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

  const asked = async (users: "identified" | "all", from: number, to: number) => {
    const rows = await store.sql.begin(
      (tx) => tx`
        select person, started_at, ended_at, events::int
        from (${sessionsSource(tx, { users }, { from, to }, to + 30 * dayMs)}) as sessions
        join persons using (project_id, number)`,
    );
    return rows.map((row) => ({
      person: String(row["person"]),
      started: (row["started_at"] as Date).getTime(),
      ended: (row["ended_at"] as Date).getTime(),
      events: Number(row["events"]),
    }));
  };
  const folded = async (...played: Step[]) => {
    await play({ store, session, model: personSessions }, played);
    return sorted(await asked("all", streamsFrom, streamsTo));
  };
  const at = (minutes: number, fields: Partial<Happened> = {}): Happened => ({
    at: streamsFrom + minutes * 60_000,
    type: "view",
    user: "a",
    anonymous: null,
    ...fields,
  });
  const stored = (...events: Happened[]): Step => ({ kind: "store", events });
  const fold: Step = { kind: "fold", idsMax: 100 };
  const named = (from: number, to: number, events: number) =>
    `a ${streamsFrom + from * 60_000} ${streamsFrom + to * 60_000} ${events}`;

  it("go on for half an hour behind an event, and not a millisecond longer", async () => {
    const late = { ...at(60), at: at(60).at + 1 };
    expect(await folded(stored(at(0), at(30), late))).toEqual(
      sorted([
        { person: "a", started: at(0).at, ended: at(30).at, events: 2 },
        { person: "a", started: late.at, ended: late.at, events: 1 },
      ]),
    );
  });

  it("become one when a late event joins two", async () => {
    const two = [stored(at(600), at(650)), fold];
    expect(await folded(...two)).toEqual([named(600, 600, 1), named(650, 650, 1)]);
    expect(await folded(...two, stored(at(625)))).toEqual([named(600, 650, 3)]);
  });

  it("go on over midnight", async () => {
    expect(await folded(stored(at(1435)), fold, stored(at(1450)), fold)).toEqual([named(1435, 1450, 2)]);
  });

  it("of a text that is both a user_id and an anonymous_id are one person's where all are asked for", async () => {
    const other = at(20, { user: null, anonymous: "a" });
    expect(await folded(stored(at(600), at(640), { ...other, at: at(620).at }))).toEqual([
      named(600, 640, 3),
    ]);
    expect(sorted(await asked("identified", streamsFrom, streamsTo))).toEqual([
      named(600, 600, 1),
      named(640, 640, 1),
    ]);
  });

  it("equal a recount, whatever comes in whatever order", async () => {
    const bound = fc.integer({ min: streamsFrom - dayMs, max: streamsTo + dayMs });
    await fc.assert(
      fc.asyncProperty(steps, bound, bound, async (played, one, other) => {
        const kept = await play({ store, session, model: personSessions }, played);
        const [from, to] = [Math.min(one, other), Math.max(one, other) + 1];
        for (const users of ["identified", "all"] as const) {
          const expected = sessionsOf(kept, users);
          expect(sorted(await asked(users, 0, streamsTo + dayMs))).toEqual(sorted(expected));
          const within = expected.filter(({ started }) => started >= from && started < to);
          expect(sorted(await asked(users, from, to))).toEqual(sorted(within));
        }
        const [row] = await store.sql`
          select count(*)::int as cut from person_sessions
          where (started_at at time zone 'UTC')::date <> day or (ended_at at time zone 'UTC')::date <> day`;
        expect(row).toEqual({ cut: 0 });
      }),
      { numRuns: isLong ? 1_000 : 25 },
    );
  }, 900_000);
});
