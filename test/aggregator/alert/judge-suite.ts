// What each kind of rule finds in a store: figures against a naive count, weeks before, silence, gaps, the ledger.
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { windowBefore } from "../../../aggregator/alert/figure.ts";
import { createMeasure, type Measured } from "../../../aggregator/alert/measure.ts";
import { readRules } from "../../../aggregator/alert/rules.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import type { FilledStore, GivenEvent } from "../read/filled-store.ts";
import { recordOf } from "../records.ts";
import { emptyStore } from "./empty-store.ts";

const [minute, hour, week] = [60_000, 3_600_000, 7 * 86_400_000];
/** A Wednesday, some minutes behind a half hour. */
const now = Date.UTC(2026, 5, 10, 14, 41, 17);
const iso = (ms: number): string => new Date(ms).toISOString();

interface JudgeDepth {
  runs: number;
  isFull: boolean;
}

/**
 * In a store that nobody else writes to. `runs`: streams drawn for the count of figures; `isFull`: also the cases
 * that differ in a verdict alone, and ask a server nothing new.
 */
export function judgeSuite(given: () => FilledStore, { runs, isFull }: JudgeDepth): void {
  let filled: FilledStore;
  let session: Sql;
  let log: ReturnType<typeof memoryLog>;
  let reader: LogReader;
  beforeAll(async () => {
    filled = given();
    session = await filled.store.writer();
    await renewLog();
  });
  const renewLog = async () => {
    log = memoryLog(new Map(), { topic: "events" });
    await log.create();
    reader = await log.reader();
  };
  afterAll(async () => {
    await session?.end();
  });
  const empty = () => emptyStore(filled.store);
  beforeEach(empty);

  /** Judges one rule at a moment; `watched`: since when it has been looked at. */
  async function judge(rule: object, at = now, watched = 0, memo: unknown = undefined): Promise<Measured> {
    const [parsed] = readRules({ rules: [{ name: "one", ...rule }] });
    const measure = createMeasure(reader);
    return (await session.begin("isolation level repeatable read", (tx) =>
      measure(parsed!, { tx, now: at, watchedSince: watched, memo }),
    )) as Measured;
  }
  /** Leaves a note of an event as one that waits for a fold since `ms`. */
  const unfold = (ms: number, day: number, project = "shop") => filled.store.sql`
    insert into fresh_events (project_id, day, ids, marked_at)
    values (${project}, ${iso(day).slice(0, 10)}, '{}', ${iso(ms)})`;

  it("of a figure counts what a naive count does, over short windows and long", async () => {
    const event = fc.record({
      back: fc.oneof(fc.integer({ min: -5, max: 90 }), fc.integer({ min: 0, max: 26 * 60 })),
      type: fc.constantFrom("view", "purchase", "refund"),
      user: fc.constantFrom("a", "b", "c", null),
      anonymous: fc.constantFrom("a", "v", null),
      project: fc.constantFrom("shop", "blog"),
      cents: fc.option(fc.integer({ min: -999, max: 999 }), { nil: null }),
      currency: fc.constantFrom("EUR", "USD"),
    });
    const asked = fc.record({
      figure: fc.constantFrom("events", "conversions", "revenue", "active_users"),
      window: fc.constantFrom("7m", "30m", "1h", "90m", "3h", "1d"),
      project: fc.constantFrom(undefined, "shop"),
      types: fc.constantFrom<string[] | undefined>(undefined, ["view"], ["purchase", "refund"]),
      users: fc.constantFrom("all", "identified"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { minLength: 1, maxLength: 40 }),
        fc.array(asked, { minLength: 4, maxLength: 4 }),
        async (given, rules) => {
          await empty();
          const happened = given.map((one) => ({ ...one, at: now - one.back * minute }));
          await filled.addEvents(
            happened.map(
              ({ at, type, user, anonymous, project, cents, currency }): GivenEvent => ({
                at: iso(at),
                type,
                user,
                anonymous,
                project,
                ...(cents === null ? {} : { revenue: (cents / 100).toFixed(2), currency }),
              }),
            ),
          );
          for (const { project, types, ...rule } of rules) {
            const said = JSON.parse(JSON.stringify({ ...rule, project, types })) as typeof rule;
            const money = rule.figure === "revenue" ? { currency: "EUR" } : {};
            const found = await judge({ kind: "threshold", above: 1e9, ...said, ...money });
            const minutes = { "7m": 7, "30m": 30, "1h": 60, "90m": 90, "3h": 180, "1d": 1_440 }[rule.window]!;
            const span = windowBefore(now, minutes * minute);
            const wanted = types ?? (rule.figure === "conversions" ? ["purchase"] : undefined);
            const seen = happened.filter(
              (one) =>
                one.at >= span.from &&
                one.at < span.to &&
                (project === undefined || one.project === project) &&
                (wanted === undefined || wanted.includes(one.type)) &&
                (rule.users === "all" || one.user !== null),
            );
            expect(found).toMatchObject({ verdict: "good", value: figureOf(rule.figure, seen) });
          }
        },
      ),
      { numRuns: runs },
    );
  }, 300_000);

  it("of sessions counts those that began in the window", async () => {
    const at = (minutes: number, user: string) => ({ at: iso(Date.UTC(2026, 5, 10, 12, minutes)), user });
    await filled.addEvents([at(5, "a"), at(20, "a"), at(119, "a"), at(30, "b")]);
    const found = await judge({ kind: "threshold", figure: "sessions", window: "3h", above: 2 });
    expect(found).toMatchObject({ verdict: "bad", value: 3, detail: "3 sessions in 3h, above 2" });
  });

  const bounds = [
    [{ above: 2 }, "bad", "3 events of view in shop in 10m, above 2"],
    [{ above: 3 }, "good", "3 events of view in shop in 10m, not above 3"],
    [{ below: 3 }, "good", "3 events of view in shop in 10m, not below 3"],
    [{ below: 4 }, "bad", "3 events of view in shop in 10m, below 4"],
  ] satisfies [object, string, string][];
  it.each(isFull ? bounds : bounds.slice(0, 1))(
    "of a threshold holds %j to be %s",
    async (bound, verdict, detail) => {
      const ago = (minutes: number) => ({ at: iso(now - minutes * minute), type: "view" });
      await filled.addEvents([ago(1), ago(2), ago(9), ago(11)]);
      const rule = { kind: "threshold", figure: "events", types: ["view"], project: "shop", window: "10m" };
      expect(await judge({ ...rule, ...bound })).toMatchObject({ verdict, value: 3, detail });
    },
  );

  if (isFull)
    it("waits for figures that are not folded, of its own days and project alone", async () => {
      await filled.addEvents([{ at: iso(now - 2 * hour) }]);
      const rule = { kind: "threshold", figure: "events", window: "3h", below: 5 };
      await unfold(now - 10_000, now);
      await unfold(now - hour, now - week);
      await unfold(now - hour, now, "blog");
      expect((await judge({ ...rule, project: "shop" })).verdict).toBe("bad");
      expect(await judge(rule)).toMatchObject({
        verdict: "unknown",
        detail: expect.stringContaining("not in the figures"),
      });
      await filled.store.sql`delete from fresh_events`;
      await filled.store
        .sql`insert into stale_days (project_id, day) values ('shop', ${iso(now).slice(0, 10)})`;
      expect((await judge({ ...rule, project: "shop" })).verdict).toBe("unknown");
      expect((await judge({ ...rule, window: "1h" })).verdict).toBe("bad");
    });

  if (isFull)
    it("does not take for few what the log still holds", async () => {
      const rule = { kind: "threshold", figure: "events", window: "10m", below: 5 };
      expect((await judge(rule)).verdict).toBe("bad");
      const producer = await log.producer();
      const send = (receivedAt: number) =>
        producer.publish(0, recordOf([{ name: `e ${receivedAt}` }], { receivedAt }));
      await send(now - 10_000);
      expect((await judge(rule)).verdict).toBe("bad");
      await send(now - 40_000);
      expect(await judge(rule)).toMatchObject({
        verdict: "unknown",
        detail: expect.stringContaining("the log holds"),
      });
      expect((await judge({ ...rule, below: undefined, above: 5 })).verdict).toBe("good");
      await filled.store.sql`
      insert into log_positions (log_id, topic, partition, next_offset)
      values (${reader.identity.id}, ${reader.identity.topic}, 0, 2)`;
      expect((await judge(rule)).verdict).toBe("bad");
      await producer.close();
      await renewLog();
    });

  describe("of change", () => {
    const rule = { kind: "change", figure: "events", window: "1h", up: 50, down: 50, least: 5 };
    /** So many events in the hour that is judged, some weeks back. */
    const weekBack = (weeks: number, count: number, shiftMs = 0) =>
      Array.from({ length: count }, (_, at) => ({
        at: iso(Date.UTC(2026, 5, 10, 13, 45) - weeks * week + shiftMs + at * 1_000),
      }));
    const first = { at: iso(Date.UTC(2026, 4, 1)) };

    const cases = [
      ["as usual", 10, [10, 12, 9, 400], "good", -100 / 11],
      ["half as many", 4, [10, 10, 8, 9], "bad", -57.89],
      ["more than half as many again", 16, [10, 10, 8, 12], "bad", 60],
      ["too few to compare", 1, [4, 4, 4, 4], "good", null],
      ["something after nothing", 6, [0, 0, 0, 0], "bad", 600],
      ["nothing at all", 0, [0, 0, 0, 0], "good", null],
    ] satisfies [string, number, number[], string, number | null][];
    it.each(isFull ? cases : cases.slice(0, 1))("judges %s", async (_, count, before, verdict, value) => {
      await filled.addEvents([
        first,
        ...weekBack(0, count),
        ...before.flatMap((many, at) => weekBack(at + 1, many)),
        // The hours beside it are none of it.
        ...weekBack(1, 50, hour),
        ...weekBack(1, 50, -hour),
      ]);
      const found = await judge(rule);
      expect(found.verdict).toBe(verdict);
      if (value === null) expect(found.value).toBeNull();
      else expect(found.value).toBeCloseTo(value, 1);
    });

    if (isFull)
      it("compares with the weeks there are, and with none where there is none", async () => {
        await filled.addEvents([...weekBack(0, 20), ...weekBack(1, 10), { at: iso(now - week - 5 * hour) }]);
        expect(await judge(rule)).toMatchObject({ verdict: "bad", value: 100 });
        await filled.store.sql`delete from quarter_counts where quarter < ${iso(now - 86_400_000)}`;
        expect(await judge(rule)).toMatchObject({
          verdict: "good",
          detail: expect.stringContaining("no earlier week"),
        });
      });

    it("means the same hour of the clock where clocks were changed in between", async () => {
      // Berlin went to summer time on 29 March 2026: 13:30 UTC now was 14:30 UTC the week before.
      const at = Date.UTC(2026, 2, 31, 14, 35);
      const before = Array.from({ length: 30 }, (_, n) => ({ at: iso(Date.UTC(2026, 2, 24, 15, 10) + n) }));
      const after = Array.from({ length: 30 }, (_, n) => ({ at: iso(Date.UTC(2026, 2, 31, 14, 10) + n) }));
      await filled.addEvents([{ at: iso(Date.UTC(2026, 2, 1)) }, ...before, ...after]);
      const local = { ...rule, weeks: 1, tz: "Europe/Berlin" };
      expect(await judge(local, at)).toMatchObject({ verdict: "good", value: 0 });
      expect(await judge({ ...local, tz: "UTC" }, at)).toMatchObject({ verdict: "bad" });
    });

    if (isFull)
      it("waits where a week to compare with is not folded", async () => {
        await filled.addEvents([first, ...weekBack(0, 10), ...weekBack(1, 10)]);
        await unfold(now - hour, now - week);
        expect((await judge({ ...rule, weeks: 1 })).verdict).toBe("unknown");
        await filled.store.sql`delete from fresh_events`;
        await unfold(now - hour, now - 5 * week);
        expect((await judge({ ...rule, weeks: 1 })).verdict).toBe("good");
      });
  });

  describe("of no data", () => {
    const id = (number: number) => `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;
    let batches = 0;
    /** A batch of the ledger, stored so long before `now`. */
    const stored = async (agoMs: number, project = "shop", count = 1) => {
      batches += 1;
      await filled.addBatches({ id: "l", topic: "t" }, [
        { id: id(batches), project, stored: count, offset: batches },
      ]);
      await filled.store.sql`
        update ledger set stored_at = ${iso(moment - agoMs)} where batch_id = ${id(batches)}`;
    };
    // The ledger's newest rows are found by the store's own clock.
    let moment: number;
    beforeEach(() => {
      moment = Math.floor(Date.now() / 1000) * 1000;
    });
    const rule = { kind: "no_data", after: "10m" };

    it("goes by what the ledger stored last, of one project or of all", async () => {
      await stored(12 * minute);
      await stored(5 * minute, "blog");
      await stored(1 * minute, "shop", 0);
      expect(await judge(rule, moment)).toMatchObject({ verdict: "good", value: 300 });
      const found = await judge({ ...rule, project: "shop" }, moment);
      expect(found).toMatchObject({ verdict: "bad", value: 720 });
      expect(found.detail).toMatch(/^no event in shop stored for 12m, the last at 20/);
    });

    if (isFull)
      it("is not silenced by figures that stand still", async () => {
        await unfold(moment - hour, moment);
        await stored(hour);
        expect((await judge(rule, moment)).verdict).toBe("bad");
        expect((await judge({ ...rule, types: ["view"], after: "2h" }, moment)).verdict).toBe("bad");
      });

    if (isFull)
      it("gives its time to a rule that nobody has looked at before", async () => {
        expect(await judge(rule, moment, moment - 5 * minute)).toMatchObject({ verdict: "good", value: 300 });
        expect((await judge(rule, moment, moment - 10 * minute)).verdict).toBe("bad");
      });

    it.each(isFull ? ["10m", "3h"] : ["3h"])(
      "finds the newest event of a type within %s, folded or not",
      async (after) => {
        const typed = { ...rule, types: ["view", "scroll"], after };
        await filled.addEvents([{ at: iso(now - minute), type: "other" }]);
        expect((await judge(typed)).verdict).toBe("bad");
        await filled.addEvents([{ at: iso(now - 9 * minute), type: "scroll" }]);
        expect(await judge(typed)).toMatchObject({ verdict: "good", value: 540 });
        expect((await judge({ ...typed, project: "blog" })).verdict).toBe("bad");
        if (after === "10m") return;
        await emptyStore(filled.store);
        await filled.addEvents([{ at: iso(now - 2 * hour), type: "view" }]);
        expect((await judge(typed)).verdict).toBe("good");
        await filled.store.sql`delete from quarter_counts`;
        await unfold(now - hour, now);
        expect(await judge(typed)).toMatchObject({ verdict: "good", value: 7_200 });
      },
    );

    it("fires on a steady stream alone where it is asked to", async () => {
      const steady = { ...rule, types: ["view"], steady: true, after: "2h" };
      const last = now - 3 * hour;
      const hours = Array.from({ length: 24 }, (_, back) => ({
        at: iso(last - (back + 1) * hour),
        type: "view",
      }));
      await filled.addEvents(hours.slice(0, 23));
      expect((await judge(steady)).verdict).toBe("good");
      await filled.addEvents(hours.slice(23));
      expect(await judge(steady)).toMatchObject({ verdict: "bad", value: 4 * 3_600 });
    });
  });

  it("of completeness weighs the streams seen lately", async () => {
    const stream = (name: string, ago: number, seqs: string) => filled.store.sql`
      insert into streams (project_id, stream_id, seqs, first_time, last_time)
      values ('shop', ${name}, ${seqs}::int8multirange, ${iso(now - ago)}, ${iso(now - ago)})`;
    await stream("whole", hour, "{[1,1001)}");
    await stream("holed", hour, "{[1,91),[101,1001)}");
    await stream("old", 30 * hour, "{[500,501)}");
    const rule = { kind: "completeness", least: 100 };
    expect(await judge({ ...rule, gap_above: 10 })).toMatchObject({ verdict: "good", value: 10 });
    expect(await judge({ ...rule, gap_above: 9 })).toMatchObject({ verdict: "bad", value: 10 });
    expect(await judge({ ...rule, percent_above: 0.6 })).toMatchObject({ verdict: "good" });
    expect(await judge({ ...rule, percent_above: 0.4 })).toMatchObject({ verdict: "bad" });
    expect(await judge({ ...rule, percent_above: 0.4, least: 3_000 })).toMatchObject({ verdict: "good" });
    expect(await judge({ ...rule, gap_above: 9, project: "blog" })).toMatchObject({ verdict: "good" });
    expect(await judge({ ...rule, gap_above: 100, window: "2d" })).toMatchObject({
      verdict: "bad",
      value: 509,
    });
  });

  describe("of the ledger", () => {
    const rule = { kind: "ledger" };

    it("finds what the log lacks, until somebody has acknowledged it", async () => {
      expect(await judge(rule)).toMatchObject({ verdict: "good", value: 0, detail: "the ledger closes" });
      await filled.store.sql`
        insert into log_holes (log_id, topic, partition, from_offset, to_offset)
        values (${reader.identity.id}, ${reader.identity.topic}, 0, 3, 7)`;
      expect(await judge(rule)).toMatchObject({ verdict: "bad", detail: "4 records missing in the log" });
    });

    it("misses a record that a collector numbered and that is neither stored nor on its way", async () => {
      const id = (number: number) => `00000000-0000-7000-8000-10000000000${number}`;
      const { sql } = filled.store;
      await filled.addBatches(reader.identity, [
        { id: id(0), offset: 0, stored: 0 },
        { id: id(2), offset: 1, stored: 0 },
      ]);
      await sql`update ledger set collector_number = 2, collector_lowest_open = 2 where batch_id = ${id(2)}`;
      const producer = await log.producer();
      await producer.publish(0, recordOf([], { receipt: { collector: "other", start: 1, number: 0 } }));
      await producer.publish(0, recordOf([], { receipt: { collector: "other", start: 1, number: 1 } }));
      const lost = await judge(rule);
      expect(lost.verdict).toBe("bad");
      expect(lost.detail).toMatch(/^collector c, started .* numbered 1 records that are nowhere$/);
      // It was only on its way.
      await producer.publish(0, recordOf([], { receipt: { collector: "c", start: 1, number: 1 } }));
      expect(await judge(rule)).toMatchObject({ verdict: "good" });
      await producer.close();
      await renewLog();
    });

    it("looks at the sums from time to time, and keeps what it found meanwhile", async () => {
      const first = await judge(rule);
      await filled.store.sql`
        insert into log_positions (log_id, topic, partition, next_offset) values ('l', 't', 0, 5)`;
      expect((await judge(rule, now + 9 * minute, 0, first.memo)).verdict).toBe("good");
      const second = await judge(rule, now + 10 * minute, 0, first.memo);
      expect(second).toMatchObject({ verdict: "bad", detail: "the check offsets finds rows" });
      await filled.store.sql`delete from log_positions`;
      expect((await judge(rule, now + 11 * minute, 0, second.memo)).verdict).toBe("bad");
      expect((await judge(rule, now + 20 * minute, 0, second.memo)).verdict).toBe("good");
    });
  });
}

interface Seen {
  user: string | null;
  anonymous: string | null;
  project: string;
  cents: number | null;
  currency: string;
}

function figureOf(figure: string, seen: readonly Seen[]): unknown {
  if (figure === "revenue") {
    const cents = seen
      .filter(({ currency }) => currency === "EUR")
      .reduce((sum, one) => sum + (one.cents ?? 0), 0);
    return expect.closeTo(cents / 100, 6);
  }
  if (figure !== "active_users") return seen.length;
  const people = seen.flatMap(({ project, user, anonymous }) => {
    const person = user ?? anonymous;
    return person === null ? [] : [`${project} ${person}`];
  });
  return new Set(people).size;
}
