// The views that any SQL client may rely on: held to a recount, and to what the README shows of them.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { foldAll } from "../support/fold-all.ts";
import { grouped, milli, milliOf, playSold, type Sold, soldFrom, soldSteps } from "./model/sold.ts";
import { recordOf, type Sketch } from "./records.ts";
import { type Hand, openHand } from "./scene.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-views-"));
const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
const gapMs = 1_800_000;
const hourMs = 3_600_000;
const activeTypes = ["page_view", "session_start", "signup", "purchase"];

type Row = Record<string, unknown>;

let store: Store;
let hand: Hand;
let session: Sql;
beforeAll(async () => {
  // The schema's own name, as the README has it.
  store = await openStore(`embedded:${folder}/postgres`, { schema: "weir", dataDir: folder });
  await migrate(store);
  hand = await openHand(store);
  session = await store.writer();
}, 180_000);
afterAll(async () => {
  await session.end();
  await hand.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("the stable views", () => {
  it("equal a recount, whatever comes in whatever order", async () => {
    await fc.assert(
      fc.asyncProperty(soldSteps, async (steps) => {
        const kept = await playSold({ store, hand, session }, steps);
        const sessions = sessionsOf(kept);
        expect(await read("daily_metrics")).toEqual(sorted(dailyOf(kept, sessions)));
        expect(await read("hourly_metrics")).toEqual(sorted(hourlyOf(kept, sessions)));
        expect(await read("cohort_daily_active_users")).toEqual(sorted(cohortOf(kept, activeTypes)));
        expect(await read("revenue_by_day")).toEqual(sorted(revenueOf(kept)));
        expect(await read("sessions")).toEqual(sorted(sessions.map(sessionRow)));
        expect(await read("users")).toEqual(sorted(usersOf(kept)));
        expect(await read("raw_events")).toEqual(sorted(kept.map(eventRow)));
      }),
      { numRuns: isLong ? 300 : 20 },
    );
  }, 900_000);

  it("count the types that say somebody was there, by whatever they are now, but for frozen days", async () => {
    await playSold({ store, hand, session }, []);
    const day = 24 * hourMs;
    const one = (name: string, type: string, at: number): Sketch => ({ name, at, fields: { type } });
    await hand.write(
      0,
      recordOf([one("t-1", "scroll", soldFrom), one("t-2", "page_view", soldFrom + 2 * day)]),
    );
    await hand.write(0, recordOf([one("t-3", "scroll", soldFrom + 2 * day)]));
    await foldAll(store);
    await expireEvents(store, { project: "p", actor: "t", from: soldFrom + day });
    const counts = async () => {
      await foldAll(store);
      const rows =
        await store.sql`select day::text, event_count::int from cohort_daily_active_users order by 1`;
      return rows.map((row) => [row["day"], row["event_count"]]);
    };
    expect(await counts()).toEqual([["2026-11-01", 1]]);
    await store.sql`insert into active_types (type) values ('scroll')`;
    expect(await counts()).toEqual([["2026-11-01", 2]]);
    await store.sql`delete from active_types where type = 'page_view'`;
    expect(await counts()).toEqual([["2026-11-01", 1]]);
    await store.sql`truncate active_types`;
    await store.sql`insert into active_types select unnest(${activeTypes}::text[])`;
    expect(await counts()).toEqual([["2026-11-01", 1]]);
  });

  it("say who a visitor turned out to be", async () => {
    await playSold({ store, hand, session }, []);
    const of = (name: string, type: string, userId: string | null, minutes: number): Sketch => ({
      name,
      at: soldFrom + minutes * 60_000,
      fields: { type, userId, anonymousId: "v" },
    });
    await hand.write(0, recordOf([of("v-1", "page_view", null, 0), of("v-2", "identify", "ann", 1)]));
    await foldAll(store);
    const rows = await store.sql`select person, is_identified, user_id from users order by 1`;
    expect([...rows]).toEqual([
      { person: "ann", is_identified: true, user_id: "ann" },
      { person: "v", is_identified: false, user_id: "ann" },
    ]);
  });

  it("follow a session over every midnight it crosses", async () => {
    await playSold({ store, hand, session }, []);
    const steps = Array.from({ length: 110 }, (_, at) => ({ name: `m-${at}`, at: soldFrom + at * gapMs }));
    await hand.write(0, recordOf(steps));
    await foldAll(store);
    const rows = await store.sql`select date::text, events::int, duration_sec from sessions`;
    expect([...rows]).toEqual([{ date: "2026-10-30", events: 110, duration_sec: (109 * gapMs) / 1000 }]);
    const days = await store.sql`
      select date::text, sessions::int, avg_session_duration_sec as average from daily_metrics order by 1`;
    expect(days.map(({ date, sessions, average }) => [date, sessions, average])).toEqual([
      ["2026-10-30", 1, (109 * gapMs) / 1000],
      ["2026-10-31", 0, null],
      ["2026-11-01", 0, null],
    ]);
  });

  it("read no events, and of models the days that are asked for alone", async () => {
    for (const view of [
      "daily_metrics",
      "cohort_daily_active_users",
      "revenue_by_day",
      "sessions",
      "hourly_metrics",
    ]) {
      const plan = await planOf(`select * from ${view}`);
      expect(plan, view).not.toMatch(/ on events/);
    }
    const plan = await planOf("select * from daily_metrics where project_id = 'p' and date >= '2026-11-01'");
    expect(plan.match(/day >= '2026-11-01'/g)?.length).toBeGreaterThanOrEqual(2);
  });
});

describe("the README's views", () => {
  const [, lines = ""] = /```ndjson views\n([\s\S]+?)```/.exec(readme) ?? [];
  const [, statements = ""] = /```sql views\n([\s\S]+?)```/.exec(readme) ?? [];
  const shown = [...statements.matchAll(/^(select [^;]+);\n((?:-- .*\n)+)/gm)].map(
    ([, query, answer]) =>
      [
        query!,
        answer!
          .trim()
          .split("\n")
          .map((line) => line.slice(3)),
      ] as const,
  );

  beforeAll(async () => {
    await playSold({ store, hand, session }, []);
    const sketches = lines
      .trim()
      .split("\n")
      .map((line, at) => {
        const { type, user_id, anonymous_id, timestamp, payload, context } = JSON.parse(line);
        const fields = {
          type,
          userId: user_id ?? null,
          anonymousId: anonymous_id ?? null,
          country: context.country,
          appVersion: context.app_version,
          revenue: payload?.revenue === undefined ? null : String(payload.revenue),
          currency: payload?.currency ?? null,
          payload: JSON.stringify(payload ?? {}),
        };
        return { name: `shown-${at}`, at: Date.parse(timestamp), fields };
      });
    await hand.write(0, recordOf(sketches, { project: "shop" }));
    await foldAll(store);
  });

  it("are all of them", () => {
    const views = Object.keys(columns).map((view) => `weir.${view}`);
    expect(shown.map(([query]) => /from (\S+)/.exec(query)![1]).sort()).toEqual(views.sort());
  });

  it.each(shown)("%s", async (query, answer) => {
    const rows = await session.unsafe(query).values();
    expect(rows.map((row) => row.map(shownAs).join(" | "))).toEqual(answer);
  });
});

function shownAs(value: unknown): string {
  if (value === null) return "∅";
  if (!(value instanceof Date)) return String(value);
  const text = value.toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
}

async function planOf(query: string): Promise<string> {
  const rows = await session.unsafe(`explain (costs off) ${query}`);
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}

const columns: Record<string, string> = {
  daily_metrics:
    "project_id, date::text as at, app_version, country, active_users, sessions, events, revenue_usd, avg_session_duration_sec",
  hourly_metrics:
    "project_id, hour as at, active_users, sessions, events, revenue_usd, avg_session_duration_sec",
  cohort_daily_active_users: "project_id, day::text as at, user_id, event_count as events",
  revenue_by_day: "project_id, day::text as at, country, currency, revenue",
  sessions: "project_id, person, is_identified, started_at as at, ended_at, events, duration_sec",
  users: "project_id, person, is_identified, user_id, first_seen as at, last_seen, events",
  raw_events:
    "project_id, event_time as at, type, user_id, coalesce(user_id, anonymous_id) as person, country, app_version, revenue, currency",
};

const sorted = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort();

// Counts and money come as texts; money is compared in thousandths.
async function read(view: string): Promise<string[]> {
  const rows = await store.sql.unsafe(`select ${columns[view]} from ${view}`);
  const counts = new Set(["active_users", "sessions", "events"]);
  return sorted(
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => {
          if (name.startsWith("revenue")) return [name, milli(value as string)];
          return [name, counts.has(name) ? Number(value) : value];
        }),
      ),
    ),
  );
}

interface Session {
  project: string;
  person: string;
  isIdentified: boolean;
  started: number;
  ended: number;
  events: number;
}

// One after the other: the naive way.
function sessionsOf(rows: readonly Sold[]): Session[] {
  const known = rows.filter((row) => row.person !== null).sort((one, other) => one.at - other.at);
  return grouped(known, ({ project, person, user }) => [project, person, user !== null]).flatMap(
    ([, own]) => {
      const sessions: Session[] = [];
      for (const { project, person, user, at } of own) {
        const last = sessions.at(-1);
        if (last !== undefined && at - last.ended <= gapMs) {
          last.ended = at;
          last.events += 1;
        } else {
          sessions.push({
            project,
            person: person!,
            isIdentified: user !== null,
            started: at,
            ended: at,
            events: 1,
          });
        }
      }
      return sessions;
    },
  );
}

const isoDay = (at: number): string => new Date(at).toISOString().slice(0, 10);
const hourOf = (at: number): string => new Date(Math.floor(at / hourMs) * hourMs).toISOString();
const usdOf = (rows: readonly Sold[]): number => milliOf(rows.filter(({ currency }) => currency === "USD"));
const peopleOf = (rows: readonly Sold[]): number =>
  new Set(rows.flatMap(({ person }) => (person === null ? [] : [person]))).size;
const averageOf = (sessions: readonly Session[]): number | null =>
  sessions.length === 0
    ? null
    : sessions.reduce((sum, { started, ended }) => sum + (ended - started) / 1000, 0) / sessions.length;

const figuresOf = (rows: readonly Sold[], sessions: readonly Session[]): Row => ({
  active_users: peopleOf(rows),
  sessions: sessions.length,
  events: rows.length,
  revenue_usd: usdOf(rows),
  avg_session_duration_sec: averageOf(sessions),
});

function dailyOf(rows: readonly Sold[], sessions: readonly Session[]): Row[] {
  // The least of the moments, then of version and country, nothing being behind everything.
  const order = ({ at, version, country }: Sold) => `${at} ${version ?? "~"} ${country ?? "~"}`;
  const placed = sessions.map((one) => {
    const [first] = rows
      .filter(
        (row) =>
          row.project === one.project &&
          row.person === one.person &&
          (row.user !== null) === one.isIdentified &&
          isoDay(row.at) === isoDay(one.started),
      )
      .sort((left, right) => (order(left) < order(right) ? -1 : 1));
    return { one, place: JSON.stringify([one.project, isoDay(one.started), first!.version, first!.country]) };
  });
  return grouped(rows, ({ project, at, version, country }) => [project, isoDay(at), version, country]).map(
    ([place, own]) => {
      const [project_id, at, app_version, country] = JSON.parse(place) as unknown[];
      const began = placed.filter((each) => each.place === place).map(({ one }) => one);
      return { project_id, at, app_version, country, ...figuresOf(own, began) };
    },
  );
}

function hourlyOf(rows: readonly Sold[], sessions: readonly Session[]): Row[] {
  return grouped(rows, ({ project, at }) => [project, hourOf(at)]).map(([place, own]) => {
    const [project_id, at] = JSON.parse(place) as unknown[];
    const began = sessions.filter(({ project, started }) => project === project_id && hourOf(started) === at);
    return { project_id, at, ...figuresOf(own, began) };
  });
}

function cohortOf(rows: readonly Sold[], types: readonly string[]): Row[] {
  const counted = rows.filter(({ user, type }) => user !== null && types.includes(type));
  return grouped(counted, ({ project, at, user }) => [project, isoDay(at), user]).map(([place, own]) => {
    const [project_id, at, user_id] = JSON.parse(place) as unknown[];
    return { project_id, at, user_id, events: own.length };
  });
}

function revenueOf(rows: readonly Sold[]): Row[] {
  const paid = rows.filter(({ revenue }) => revenue !== null);
  return grouped(paid, ({ project, at, country, currency }) => [project, isoDay(at), country, currency]).map(
    ([place, own]) => {
      const [project_id, at, country, currency] = JSON.parse(place) as unknown[];
      return { project_id, at, country, currency, revenue: milliOf(own) };
    },
  );
}

const sessionRow = ({ project, person, isIdentified, started, ended, events }: Session): Row => ({
  project_id: project,
  person,
  is_identified: isIdentified,
  at: new Date(started),
  ended_at: new Date(ended),
  events,
  duration_sec: (ended - started) / 1000,
});

const eventRow = ({ project, at, type, user, person, country, version, revenue, currency }: Sold): Row => ({
  project_id: project,
  at: new Date(at),
  type,
  user_id: user,
  person,
  country,
  app_version: version,
  revenue: milli(revenue),
  currency,
});

function usersOf(rows: readonly Sold[]): Row[] {
  const known = rows.filter(({ person }) => person !== null);
  return grouped(known, ({ project, person, user }) => [project, person, user !== null]).map(
    ([place, own]) => {
      const [project_id, person, is_identified] = JSON.parse(place) as unknown[];
      const times = own.map(({ at }) => at);
      return {
        project_id,
        person,
        is_identified,
        user_id: is_identified ? person : null,
        at: new Date(Math.min(...times)),
        last_seen: new Date(Math.max(...times)),
        events: own.length,
      };
    },
  );
}
