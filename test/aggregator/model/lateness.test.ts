// How late events came: whatever is written, copied, folded and erased in whatever order, the answers are a recount's.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eraseSubject } from "../../../aggregator/lifecycle/remove.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { models, modelTables } from "../../../aggregator/model/models.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import { lateness } from "../../../aggregator/read/lateness.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { flag } from "../../../shared/event/event.ts";
import { foldAll } from "../../support/fold-all.ts";
import { describeWith, serviceUrl } from "../../support/services.ts";
import { recordOf } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const hourMs = 3_600_000;
/** Clocks of Lord Howe are half an hour off the hours of UTC. */
const zones = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"];
const begin = Date.UTC(2026, 9, 30);
const bounds = [60, 300, 900, 3_600, 21_600, 86_400, 604_800];
const names = ["to_1m", "to_5m", "to_15m", "to_1h", "to_6h", "to_1d", "to_7d"];
const allowances = ["1m", "5m", "15m", "1h", "6h", "1d", "7d"];

// Often exactly as late as a class allows, or a millisecond more.
const late = fc
  .tuple(
    fc.oneof(fc.constantFrom(0, ...bounds), fc.integer({ min: -900, max: 900_000 })),
    fc.integer({ min: -1, max: 1 }),
  )
  .map(([seconds, ms]) => seconds * 1_000 + ms);
const batch = fc.record({
  kind: fc.constant("write" as const),
  project: fc.constantFrom("p", "p", "q"),
  received: fc
    .integer({ min: 0, max: 3 * 96 })
    .map((quarter) => begin + quarter * 900_000 + (quarter % 3) - 1),
  events: fc.array(
    fc.record({ late, user: fc.constantFrom("a", "b"), flags: fc.constantFrom(0, 0, 0, flag.historical) }),
    { minLength: 1, maxLength: 20 },
  ),
  /** Comes again so much later: a copy, whose receipt counts for nothing. */
  again: fc.option(fc.integer({ min: 0, max: hourMs }), { nil: null }),
});
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: batch },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("fold" as const), idsMax: fc.integer({ min: 1, max: 30 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("erase" as const), user: fc.constantFrom("a", "b") }),
    },
  ),
  { minLength: 1, maxLength: 10 },
);
type Step = typeof steps extends fc.Arbitrary<(infer One)[]> ? One : never;

const asked = fc.record({
  tz: fc.constantFrom(...zones),
  interval: fc.constantFrom("hour", "day", "total"),
  project: fc.constantFrom("", "p"),
  allowed: fc.constantFrom(...allowances),
  from: fc.integer({ min: -4, max: 200 }).map((quarter) => begin + quarter * 900_000),
});

interface Kept {
  project: string;
  received: number;
  late: number;
  flags: number;
}

/** The naive way: every event put into its bucket and judged alone. */
function recount(rows: readonly Kept[], query: { tz: string; interval: string; allowed: string }): unknown[] {
  const bucketOf = ({ received }: Kept): string | null => {
    if (query.interval === "total") return null;
    const day = new Intl.DateTimeFormat("en-CA", { timeZone: query.tz, dateStyle: "short" }).format(received);
    if (query.interval === "day") return day;
    // To the last moment whose minute reads :00 in the zone.
    const minute = new Intl.DateTimeFormat("en", { timeZone: query.tz, minute: "numeric" });
    let start = Math.floor(received / 60_000) * 60_000;
    while (minute.format(start) !== "0") start -= 60_000;
    return `${new Date(start).toISOString().slice(0, 19)}Z`;
  };
  const groups = Map.groupBy(rows, bucketOf);
  return [...groups.keys()].sort().map((bucket) => {
    const own = groups.get(bucket)!.filter(({ flags }) => (flags & flag.historical) === 0);
    const sorted = own.map((row) => row.late).sort((one, other) => one - other);
    const allowedMs = bounds[allowances.indexOf(query.allowed)]! * 1_000;
    const latest = sorted.length === 0 ? null : Math.max(0, sorted.at(-1)!) / 1_000;
    const between = (over: number, most: number): number =>
      sorted.filter((ms) => ms > over && ms <= most).length;
    const quantile = (percent: number): number | null => {
      if (sorted.length === 0) return null;
      const ms = sorted[Math.ceil((sorted.length * percent) / 100) - 1]!;
      return ms < 0 ? 0 : (bounds.find((bound) => ms <= bound * 1_000) ?? latest);
    };
    return {
      bucket,
      events: own.length,
      late: sorted.filter((ms) => ms > allowedMs).length,
      historical: groups.get(bucket)!.length - own.length,
      max_lateness_sec: latest,
      p50_sec: quantile(50),
      p95_sec: quantile(95),
      p99_sec: quantile(99),
      ahead: sorted.filter((ms) => ms < 0).length,
      ...Object.fromEntries(
        names.map((name, at) => [
          name,
          between(at === 0 ? -1 : bounds[at - 1]! * 1_000, bounds[at]! * 1_000),
        ]),
      ),
      beyond_7d: between(604_800_000, Number.POSITIVE_INFINITY),
    };
  });
}

let made = 0;

function suite(title: string, open: () => Promise<Store>, numRuns: number): void {
  describe(title, () => {
    let store: Store;
    let hand: Hand;
    let session: Sql;
    beforeAll(async () => {
      store = await open();
      hand = await openHand(store);
      session = await store.writer();
    }, 180_000);
    afterAll(async () => {
      await session?.end();
      await hand?.close();
      if (store !== undefined) await closeScene(store);
    });

    async function play(played: readonly Step[]): Promise<Kept[]> {
      await store.sql.unsafe(`truncate ${[...modelTables, "events", "row_removals", "erasures"].join(", ")}`);
      for (const step of played) {
        if (step.kind === "fold") await foldStep(session, models, step.idsMax);
        if (step.kind === "erase") {
          const until = begin + 30 * hourMs;
          await eraseSubject(store, { project: "p", actor: "t", kind: "user_id", id: step.user, until });
        }
        if (step.kind !== "write") continue;
        const { project, received } = step;
        const sketches = step.events.map((event) => {
          made += 1;
          const { flags, user: userId } = event;
          return { name: `late-${made}`, at: received - event.late, flags, fields: { userId } };
        });
        await hand.write(0, recordOf(sketches, { project, receivedAt: received }));
        if (step.again !== null) {
          await hand.write(1, recordOf(sketches, { project, receivedAt: received + step.again }));
        }
      }
      await foldAll(store);
      return await store.sql<Kept[]>`
        select project_id as project, (extract(epoch from received_at) * 1000)::float8 as received, flags::int,
          (extract(epoch from received_at - event_time) * 1000)::float8 as late
        from events`;
    }

    const ask = async (query: Record<string, string>) => {
      const listed = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value]]));
      return (await answer(store.sql, lateness, listed)).data;
    };

    it("equals a recount, whatever comes in whatever order", async () => {
      const questions = fc.array(asked, { minLength: 3, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(steps, questions, async (played, questions) => {
          const kept = await play(played);
          const to = begin + 3 * 24 * hourMs;
          for (const { from, ...query } of questions) {
            const within = kept.filter(
              ({ project, received }) =>
                received >= from && received < to && (query.project === "" || query.project === project),
            );
            expect(await ask({ ...query, from: String(from), to: String(to) })).toEqual(
              recount(within, query),
            );
          }
        }),
        { numRuns },
      );
    }, 900_000);

    it("is asked by whole quarter hours", async () => {
      await expect(ask({ from: String(begin + 1) })).rejects.toThrow("quarter hours");
    });
  });
}

const folder = mkdtempSync(join(tmpdir(), "weir-lateness-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
suite("lateness", () => openScene(`embedded:${folder}/postgres`), isLong ? 300 : 20);
describeWith(["timescale"], "lateness on TimescaleDB", () =>
  suite("in its Apache edition", () => openScene(serviceUrl("timescale")), 5),
);
