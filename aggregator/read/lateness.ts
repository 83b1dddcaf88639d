// How late events came, by when they were received: what an allowance of lateness would have missed.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { WeirError } from "../../shared/problem.ts";
import { aheadClass, historicalClass, latenessBounds } from "../model/lateness.ts";
import { quarterMs } from "./modelled.ts";
import { sharedParameters } from "./parameters.ts";
import { type AnswerRow, defineQuestion, rowLimit } from "./question.ts";
import type { Range } from "./range.ts";
import type { Fragment } from "./within.ts";

const allowances = ["1m", "5m", "15m", "1h", "6h", "1d", "7d"] as const;

const counted = (words: string) => z.int().min(0).describe(words);
const seconds = (words: string) => z.number().min(0).nullable().describe(words);
const quantile = (percent: number) =>
  seconds(
    `Least of the bounds within which ${percent} % of them came; max_lateness_sec where that is over 7 days`,
  );

export const lateness = defineQuestion({
  name: "lateness",
  summary: "Events by when they were received, and how long after they happened that was",
  parameters: z.strictObject({
    ...sharedParameters,
    interval: z
      .enum(["hour", "day", "total"])
      .default("hour")
      .describe("Width of a bucket of receipt; total: one for the whole span"),
    allowed: z.enum(allowances).default("1h").describe("What came later than this is late"),
  }),
  row: z.object({
    bucket: z
      .string()
      .nullable()
      .describe("First moment of the hour, or day in the time zone; null for the whole span"),
    events: counted("Received in the bucket, but for historical ones"),
    late: counted("Of these, received more than `allowed` after they happened"),
    historical: counted("Sent with a key for old data, on purpose: in no other figure here"),
    max_lateness_sec: seconds(
      "From when the latest of them happened until it was received; null without any",
    ),
    p50_sec: quantile(50),
    p95_sec: quantile(95),
    p99_sec: quantile(99),
    ahead: counted("Happened after they were received, by their own clocks"),
    to_1m: counted("At most a minute late"),
    to_5m: counted("Later, but at most 5 minutes"),
    to_15m: counted("Later, but at most 15 minutes"),
    to_1h: counted("Later, but at most an hour"),
    to_6h: counted("Later, but at most 6 hours"),
    to_1d: counted("Later, but at most a day"),
    to_7d: counted("Later, but at most 7 days"),
    beyond_7d: counted("Later than that"),
  }),
  isModelled: () => true,
  ask: async (tx, asked, range) => {
    if (range.from % quarterMs !== 0 || range.to % quarterMs !== 0) {
      throw new WeirError("invalid_query", "from, to: lateness is known by quarter hours; choose whole ones");
    }
    const rows = await countClasses(tx, bucketOf(tx, asked), asked.project, range);
    const buckets = Map.groupBy(rows, ({ bucket }) => bucket);
    const allowed = allowances.indexOf(asked.allowed) + 1;
    return [...buckets].map(([bucket, classes]) => inRow(bucket, classes, allowed));
  },
});

interface ClassCount {
  bucket: string | null;
  class: number;
  events: number;
  max_sec: number;
}

function bucketOf(tx: TransactionSql, { interval, tz }: { interval: string; tz: string }): Fragment {
  if (interval === "total") return tx`null::text`;
  if (interval === "day") return tx`to_char(quarter at time zone ${tz}::text, 'YYYY-MM-DD')`;
  // Some zones are off the whole hours of UTC, so that an hour of theirs begins within one of UTC.
  return tx`
    to_char(date_trunc('hour', quarter, ${tz}::text) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`;
}

/** A row a bucket and class that anything came in, in the order of time. */
function countClasses(
  tx: TransactionSql,
  bucket: Fragment,
  project: string | undefined,
  range: Range,
): Promise<ClassCount[]> {
  return tx<ClassCount[]>`
    select bucket, class, events, max_sec
    from (
      select ${bucket} as bucket, class, sum(events)::float8 as events,
        extract(epoch from max(max_lateness))::float8 as max_sec
      from lateness_counts
      where quarter >= to_timestamp(${range.from}::float8 / 1000)
        and quarter < to_timestamp(${range.to}::float8 / 1000)
        ${project === undefined ? tx`` : tx`and project_id = ${project}`}
      group by 1, 2
    ) as counted
    order by bucket collate "C", class
    limit ${rowLimit * (classNames.length + 1)}`;
}

/** The classes that are no `historicalClass`, in their order. */
const classNames = [
  "ahead",
  "to_1m",
  "to_5m",
  "to_15m",
  "to_1h",
  "to_6h",
  "to_1d",
  "to_7d",
  "beyond_7d",
] as const;

function inRow(bucket: string | null, rows: readonly ClassCount[], allowed: number): AnswerRow {
  const own = rows.filter((row) => row.class !== historicalClass);
  const within = classNames.map((_, at) => own.find((row) => row.class === at)?.events ?? 0);
  const sum = (from: number, to?: number): number =>
    within.slice(from, to).reduce((total, count) => total + count, 0);
  const events = sum(aheadClass);
  // What is ahead of the clock is not late at all.
  const latest = own.length === 0 ? null : Math.max(0, ...own.map(({ max_sec }) => max_sec));
  const quantileOf = (percent: number): number | null => {
    if (events === 0) return null;
    const at = within.findIndex((_, place) => sum(aheadClass, place + 1) * 100 >= events * percent);
    return at === aheadClass ? 0 : (latenessBounds[at - 1] ?? latest);
  };
  return {
    bucket,
    events,
    late: sum(allowed + 1),
    historical: rows.find((row) => row.class === historicalClass)?.events ?? 0,
    max_lateness_sec: latest,
    p50_sec: quantileOf(50),
    p95_sec: quantileOf(95),
    p99_sec: quantileOf(99),
    ...Object.fromEntries(classNames.map((name, at) => [name, within[at]!])),
  };
}
