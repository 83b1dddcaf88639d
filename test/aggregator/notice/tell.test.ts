// Closed figures as they are told: once, corrected once for each change, and never by more than one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraseSubject } from "../../../aggregator/lifecycle/remove.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { models, modelTables } from "../../../aggregator/model/models.ts";
import { recompute } from "../../../aggregator/model/recompute.ts";
import { startNotices } from "../../../aggregator/notice/start.ts";
import { tellStep } from "../../../aggregator/notice/tell-step.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { openLog } from "../../../shared/log/open.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { manualClock } from "../../support/clock.ts";
import { foldAll } from "../../support/fold-all.ts";
import { until } from "../../support/until.ts";
import { type SoldStep, soldFrom, soldSteps, soldTo } from "../model/sold.ts";
import { recordOf, type Sketch } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-tell-"));
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

let store: Store;
let hand: Hand;
let session: Sql;
let other: Sql;
beforeAll(async () => {
  store = await openScene(`embedded:${folder}/postgres`);
  hand = await openHand(store);
  session = await store.writer();
  other = await store.writer();
}, 180_000);
afterAll(async () => {
  await Promise.all([session.end(), other.end()]);
  await hand.close();
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});

async function empty(): Promise<void> {
  const told = ["notices", "touched_days", "told_days", "told_figures"];
  const emptied = [...modelTables, "events", "row_removals", "erasures", "retained_from", ...told];
  await store.sql.unsafe(`truncate ${emptied.join(", ")}`);
}

let made = 0;
function named(sketch: Omit<Sketch, "name">): Sketch {
  made += 1;
  return { ...sketch, name: `told-${made}` };
}
const write = (...sketches: Omit<Sketch, "name">[]) => hand.write(0, recordOf(sketches.map(named)));

/** One step of telling, as though the log had been read up to `now`. */
async function tell(now: number, { by = session, correctionMs = 0 } = {}) {
  const [seen] = await store.sql`
    select clock_timestamp()::text as at, 'log_positions'::regclass::oid::text as place`;
  const watermark = { at: now, seenAt: String(seen?.["at"]), place: String(seen?.["place"]) };
  const closedUntil = Math.floor((now - hourMs) / hourMs) * hourMs;
  const look = { watermark, closedUntil, now };
  return await tellStep(by, { look, correctionMs, correctionMsMax: 4 * correctionMs });
}

/** Tells until nothing is due. */
async function tellAll(now: number, how: Parameters<typeof tell>[1] = {}): Promise<void> {
  for (let looks = 0; looks < 100; looks += 1) {
    const done = await tell(now, how);
    if (done !== "busy" && done.days === 0) return;
  }
  throw new Error("there is no end to what is due");
}

type Body = Record<string, unknown>;
async function bodies(): Promise<Body[]> {
  const rows = await store.sql<{ key: string; body: Body }[]>`
    select key, body from notices where topic = 'metrics' order by number`;
  for (const { key, body } of rows) expect(key).toBe(`${body["project"]}/${body["period"]}/${body["from"]}`);
  return rows.map(({ body }) => body);
}

/** What was told last of each period that is not empty, with every revision there once. */
async function lastTold(): Promise<Map<string, Body>> {
  const last = new Map<string, Body>();
  for (const body of await bodies()) {
    const key = [body["project"], body["period"], body["from"]].join(" ");
    const before = last.get(key);
    expect(body["revision"]).toBe(Number(before?.["revision"] ?? 0) + 1);
    expect({ ...body, revision: 0 }).not.toEqual({ ...before, revision: 0 });
    last.set(key, body);
  }
  return last;
}

/** The stable views' rows of all closed hours, and of days as sums of people and rows of the view. */
async function recounted(): Promise<Map<string, Body>> {
  const figures = `events::float8, trim_scale(revenue_usd)::text as revenue_usd, sessions::float8,
    active_users::float8, round(avg_session_duration_sec::numeric, 3)::float8 as avg_session_duration_sec`;
  const hours = await store.sql.unsafe(`select project_id, hour, ${figures} from hourly_metrics`);
  const days = await store.sql.unsafe(`
    select project_id, date::timestamptz as date, app_version, country, ${figures}
    from daily_metrics
    order by events desc, app_version collate "C", country collate "C"`);
  const people = await store.sql`
    select project_id, (event_time at time zone 'UTC')::date::timestamptz as date,
      count(distinct coalesce(user_id, anonymous_id))::float8 as active_users
    from events group by 1, 2`;
  const all = new Map<string, Body>();
  for (const { project_id, hour, ...row } of hours) all.set(`${project_id} hour ${hour.toISOString()}`, row);
  for (const { project_id, date, active_users } of people) {
    const own = days.filter((row) => row["project_id"] === project_id && +row["date"] === +date);
    const rows = own.map(({ project_id: _, date: __, ...row }) => row);
    const events = rows.reduce((sum, row) => sum + row["events"], 0);
    all.set(`${project_id} day ${date.toISOString()}`, { active_users, events, rows, rows_left_off: 0 });
  }
  return all;
}

async function expectTold(): Promise<void> {
  const told = await lastTold();
  const expected = await recounted();
  for (const [key, body] of expected) expect({ key, ...told.get(key) }).toMatchObject({ key, ...body });
  for (const [key, body] of told) {
    if (!expected.has(key)) expect(body).toMatchObject({ events: 0, sessions: 0, revenue_usd: "0" });
  }
}

async function play(step: SoldStep): Promise<void> {
  if (step.kind === "fold") await foldStep(session, models, step.idsMax);
  if (step.kind === "write") {
    await hand.write(step.partition, recordOf(step.sketches.map(named), { project: step.project }));
  }
  if (step.kind === "erase") {
    const { user: id, until: to } = step;
    await eraseSubject(store, { project: "p", actor: "t", kind: "user_id", id, until: to });
  }
}

describe("closed figures", () => {
  it("are told as a recount has them, whatever comes late or is erased between", async () => {
    const looked = fc.record({ kind: fc.constant("look" as const), at: fc.nat(5 * 24) });
    const steps = fc
      .tuple(soldSteps, fc.array(looked, { maxLength: 6 }))
      .chain(([sold, looks]) =>
        fc.shuffledSubarray([...sold, ...looks], { minLength: sold.length + looks.length }),
      );
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        await empty();
        for (const step of played) {
          if (step.kind === "look") await tellAll(soldFrom + step.at * hourMs);
          else await play(step);
        }
        await foldAll(store);
        await tellAll(soldTo + 2 * dayMs);
        await expectTold();
      }),
      { numRuns: isLong ? 200 : 10 },
    );
  }, 900_000);

  it("are told an hour behind their end, and corrected by what comes late", async () => {
    await empty();
    const at = soldFrom + 10 * hourMs + 60_000;
    const paid = (userId: string, revenue: string) => ({ userId, type: "buy", revenue, currency: "USD" });
    await write({ at, fields: paid("a", "0.10") });
    await foldAll(store);
    await tellAll(soldFrom + 12 * hourMs - 1);
    expect(await bodies()).toEqual([]);
    await tellAll(soldFrom + 12 * hourMs);
    const hour = {
      project: "p",
      period: "hour",
      from: new Date(soldFrom + 10 * hourMs).toISOString(),
      to: new Date(soldFrom + 11 * hourMs).toISOString(),
      active_users: 1,
      sessions: 1,
      events: 1,
      revenue_usd: "0.1",
      avg_session_duration_sec: 0,
    };
    expect(await bodies()).toEqual([{ ...hour, revision: 1 }]);
    await write({ at: at + 90_500, fields: paid("a", "0.20") }, { at, fields: paid("b", "-5") });
    await foldAll(store);
    await tellAll(soldFrom + 12 * hourMs);
    const late = { active_users: 2, sessions: 2, events: 3, revenue_usd: "-4.7" };
    const corrected = { ...hour, ...late, avg_session_duration_sec: 45.25, revision: 2 };
    expect((await bodies()).slice(1)).toEqual([corrected]);
    const [recount] = await store.sql`
      select count(*)::int as events, trim_scale(sum(revenue))::text as revenue_usd,
        count(distinct user_id)::int as active_users
      from events`;
    expect(corrected).toMatchObject(recount!);
    await tellAll(soldFrom + 25 * hourMs);
    expect((await bodies()).slice(2)).toEqual([
      expect.objectContaining({ period: "day", revision: 1, ...late, rows_left_off: 0 }),
    ]);
  });

  it("are corrected where a session began that goes on over two midnights", async () => {
    await empty();
    const gapMs = hourMs / 2;
    const going = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({
        at: soldFrom + (from + at) * gapMs,
        fields: { userId: "a" },
      }));
    await write(...going(0, 110));
    await foldAll(store);
    await tellAll(soldTo);
    await write(...going(110, 4));
    await foldAll(store);
    await tellAll(soldTo);
    const began = (await bodies()).filter(({ from }) => from === new Date(soldFrom).toISOString());
    const lasted = began.map((body) => [body["period"], body["revision"], body["avg_session_duration_sec"]]);
    expect(lasted.toSorted()).toEqual([
      ["day", 1, (109 * gapMs) / 1_000],
      ["day", 2, (113 * gapMs) / 1_000],
      ["hour", 1, (109 * gapMs) / 1_000],
      ["hour", 2, (113 * gapMs) / 1_000],
    ]);
    await expectTold();
  });

  it("are corrected where a model was wrong and is made anew", async () => {
    await empty();
    await write({ at: soldFrom + hourMs, fields: { userId: "a" } });
    await foldAll(store);
    await store.sql`update quarter_counts set events = events + 1`;
    await tellAll(soldTo);
    const day = new Date(soldFrom).toISOString().slice(0, 10);
    const { changed } = await recompute({ session, models, clock: systemClock, from: day, to: day });
    expect(changed.map(({ model }) => model)).toEqual(["quarter_counts"]);
    await tellAll(soldTo);
    const told = await bodies();
    expect(told.map(({ period, revision, events }) => [period, revision, events])).toEqual([
      ["hour", 1, 2],
      ["day", 1, 2],
      ["hour", 2, 1],
      ["day", 2, 1],
    ]);
  });

  it("are corrected at most once in a pause, which grows while they keep changing", async () => {
    await empty();
    const at = soldFrom + 60_000;
    let now = soldTo;
    await write({ at, fields: { userId: "a" } });
    await foldAll(store);
    await tellAll(now, { correctionMs: 1_000 });
    const looks: boolean[] = [];
    for (let count = 0; count < 8; count += 1) {
      await write({ at, fields: { userId: "a" } });
      await foldAll(store);
      now += 1_000;
      const before = (await bodies()).length;
      await tellAll(now, { correctionMs: 1_000 });
      looks.push((await bodies()).length > before);
    }
    expect(looks).toEqual([true, false, true, false, false, false, true, false]);
    await tellAll(now + 10_000, { correctionMs: 1_000 });
    await expectTold();
  });

  it("are told once while two aggregators tell them", async () => {
    await empty();
    const hours = Array.from({ length: 72 }, (_, at) => ({
      at: soldFrom + at * hourMs,
      fields: { userId: `u${at % 5}` },
    }));
    await write(...hours);
    await foldAll(store);
    await Promise.all([tellAll(soldTo, { by: session }), tellAll(soldTo, { by: other })]);
    await write(...hours);
    await foldAll(store);
    await Promise.all([tellAll(soldTo, { by: session }), tellAll(soldTo, { by: other })]);
    const told = await lastTold();
    expect([...told.values()].map(({ revision }) => revision)).toEqual(Array(75).fill(2));
    await expectTold();
  });

  it("are told of the last 35 days alone, and forgotten past them", async () => {
    await empty();
    await write(
      { at: soldFrom, fields: { userId: "a" } },
      { at: soldFrom + 3 * dayMs, fields: { userId: "a" } },
    );
    await foldAll(store);
    await tellAll(soldFrom + 37 * dayMs);
    expect((await bodies()).map(({ from }) => from)).toEqual(
      Array(2).fill(new Date(soldFrom + 3 * dayMs).toISOString()),
    );
    await tellAll(soldFrom + 39 * dayMs);
    const [left] = await store.sql`
      select (select count(*) from told_days) + (select count(*) from told_figures) as rows`;
    expect(Number(left?.["rows"])).toBe(0);
  });

  it("wait for what the log holds and for what is not folded, and are rows where the log is a file", async () => {
    await empty();
    const at = soldFrom + 60_000;
    await write({ at, fields: { userId: "a" } });
    const positions = async (): Promise<bigint> => {
      const [row] = await store.sql`
        select next_offset from log_positions where log_id = ${hand.identity.id} and partition = 0`;
      return BigInt(row?.["next_offset"]);
    };
    let end = (await positions()) + 1n;
    let looks = 0;
    const reader = {
      identity: hand.identity,
      ranges: async () => {
        looks += 1;
        return new Map([[0, { start: 0n, end }]]);
      },
    };
    const running = startNotices({
      store,
      log: await openLog(`sqlite:${folder}/log.sqlite`, { topic: "events" }),
      reader,
      // Its waits end at once; the time stands still.
      clock: { ...manualClock(soldTo), sleep: () => new Promise((wake) => setTimeout(wake, 10)) },
      meter: silentMeter,
      logger: silentLogger,
      topics: { metrics: "weir.metrics", alerts: "weir.alerts" },
      latenessMs: hourMs,
    });
    const looked = async (): Promise<void> => {
      const from = looks;
      await until("it has looked", 30_000, () => looks > from + 4);
    };
    try {
      await foldAll(store);
      await looked();
      expect(await bodies()).toEqual([]);
      await write({ at, fields: { userId: "b" } });
      await looked();
      expect(await bodies()).toEqual([]);
      await foldAll(store);
      await until("they are told", 30_000, async () => (await bodies()).length === 2);
      expect(await bodies()).toMatchObject([
        { period: "hour", active_users: 2, revision: 1 },
        { period: "day", active_users: 2, revision: 1 },
      ]);
      end += 1n;
    } finally {
      await running.close();
    }
  });
});
