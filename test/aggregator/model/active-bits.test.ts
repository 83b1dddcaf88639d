// Sets of people by bits: whatever the order of events, folds and erasures, they answer as the events would.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { activeBits, blockSize } from "../../../aggregator/model/active-bits.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { activeUsers } from "../../../aggregator/read/active-users.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import type { Question } from "../../../aggregator/read/question.ts";
import { retention } from "../../../aggregator/read/retention.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { closeScene, countRows, openScene } from "../scene.ts";
import { dayMs, type Happened, personOf, play, steps, streamsFrom, streamsTo } from "./streams.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const folder = mkdtempSync(join(tmpdir(), "weir-bits-"));
let store: Store;
let session: Sql;
beforeAll(async () => {
  store = await openScene(`embedded:${folder}/postgres`);
  session = await store.writer();
  await store.sql`create table events_given partition of events default`;
}, 180_000);
afterAll(async () => {
  await session.end();
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});

const asked = fc.record({
  users: fc.constantFrom("identified", "all"),
  interval: fc.constantFrom("day", "week", "month"),
  tz: fc.constantFrom("UTC", "UTC", "Asia/Kolkata", "America/New_York", "Asia/Kathmandu"),
  types: fc.constantFrom("", "", "view", "cart,buy"),
  mode: fc.constantFrom("first-time", "recurring"),
  // From a midnight of the zone on, or from the middle of the stream.
  skipped: fc.integer({ min: 0, max: 2 }),
  rolling: fc.constantFrom(1, 2, 3, 28),
});

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** A moment of that day in every zone that is asked for. */
const noonOf = (day: string): number => Date.parse(`${day}T12:00:00Z`);

/** The same question of the models and of the events: a span that ends off the half hour is no model's. */
async function both(question: Question, query: Record<string, string>, off: string) {
  const ask = async (to: string) => {
    const listed = Object.fromEntries(
      Object.entries({ ...query, to }).map(([name, value]) => [name, [value]]),
    );
    return (await answer(store.sql, question, listed)).data;
  };
  return { modelled: await ask(query["to"]!), recounted: await ask(off) };
}

interface RollingAsked {
  tz: string;
  users: string;
  types: string;
  interval: string;
  from: number;
  to: number;
  days: number;
}

/** Everybody of the last days up to the end of each bucket, day by day of the zone's calendar. */
function countRolling(events: readonly Happened[], asked: RollingAsked): unknown[] {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: asked.tz, dateStyle: "short" });
  const types = asked.types === "" ? undefined : asked.types.split(",");
  const active = new Map<string, Set<string>>();
  for (const one of events) {
    const person = asked.users === "identified" ? one.user : personOf(one);
    if (person === null || one.at >= asked.to || types?.includes(one.type) === false) continue;
    const day = format.format(one.at);
    active.set(day, (active.get(day) ?? new Set()).add(person));
  }
  const buckets = new Map<string, string[]>();
  const end = format.format(asked.to - 1);
  for (let day = format.format(asked.from); day <= end; day = dayOf(Date.parse(day) + dayMs)) {
    const monday = dayOf(Date.parse(day) - ((new Date(day).getUTCDay() + 6) % 7) * dayMs);
    const bucket =
      asked.interval === "day" ? day : asked.interval === "week" ? monday : `${day.slice(0, 7)}-01`;
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), day]);
  }
  return [...buckets].flatMap(([bucket, days]) => {
    const last = Date.parse(days.at(-1)!);
    const span = Array.from({ length: asked.days }, (_, back) => dayOf(last - back * dayMs));
    const people = (some: readonly string[]) =>
      new Set(some.flatMap((day) => [...(active.get(day) ?? [])])).size;
    const [all, own] = [people(span), people(days.filter((day) => span.includes(day)))];
    if (all === 0) return [];
    const stickiness = Math.round((own / all) * 10_000) / 10_000;
    return [{ bucket, active_users: all, bucket_users: own, stickiness }];
  });
}

describe("active_bits", () => {
  it("answers who was active and who came back as the events themselves do", async () => {
    const modelled = new Set<string>();
    await fc.assert(
      fc.asyncProperty(steps, fc.array(asked, { minLength: 2, maxLength: 4 }), async (played, questions) => {
        const kept = await play({ store, session, model: activeBits }, played);
        for (const { skipped, mode, rolling: days, ...one } of questions) {
          const from = dayOf(streamsFrom + skipped * dayMs);
          const query = { ...one, from, to: new Date(streamsTo + 2 * dayMs).toISOString() };
          const off = new Date(streamsTo + 2 * dayMs + 1).toISOString();
          const active = await both(activeUsers, query, off);
          expect(active.modelled).toEqual(active.recounted);
          const back = await both(retention, { ...query, mode }, off);
          expect(back.modelled).toEqual(back.recounted);
          for (const row of active.modelled) modelled.add(JSON.stringify(row));
          // A millisecond less than a day is still that day; one more would be another bucket.
          const short = new Date(streamsTo + 2 * dayMs - 1).toISOString();
          const rolled = await both(activeUsers, { ...query, rolling: `${days}d` }, short);
          expect(rolled.modelled).toEqual(rolled.recounted);
          const span = { from: noonOf(from), to: Date.parse(query.to), days };
          expect(rolled.recounted).toEqual(countRolling(kept, { ...one, ...span }));
        }
      }),
      { numRuns: isLong ? 600 : 25, seed: 6 },
    );
    // Not one empty answer beside another.
    expect(modelled.size).toBeGreaterThan(10);
  }, 1_800_000);

  it("holds more people than one row of bits does", async () => {
    const people = 20_000;
    await store.sql`truncate events, persons, fresh_events, stale_days, active_bits`;
    const query = { from: dayOf(streamsFrom), to: dayOf(streamsFrom) };
    await store.sql`
      insert into events (
        id, event_time, received_at, fingerprint, version, flags, identity, project_id, type, user_id, payload, context, metadata
      )
      select (lpad(to_hex(${streamsFrom}::bigint), 12, '0') || '7' || substr(md5('e' || n), 1, 3) || '8' || substr(md5('e' || n), 4, 15))::uuid,
        to_timestamp(${streamsFrom}::float8 / 1000), now(), 1, 1, 0, 'event_id', 'p', 'view', 'u-' || n, '{}', '{}', '{}'
      from generate_series(0, ${people - 1}::int) as n`;
    await store.sql`insert into stale_days (project_id, day) values ('p', ${dayOf(streamsFrom)})`;
    expect(await foldStep(session, [activeBits])).toEqual({ events: 0, days: 1 });
    expect(await countRows(store, "active_bits")).toBe(3 * Math.ceil(people / blockSize));
    const { data } = await answer(store.sql, activeUsers, { from: [query.from], to: [query.to] });
    expect(data).toEqual([{ bucket: query.from, active_users: people }]);
  }, 120_000);
});
