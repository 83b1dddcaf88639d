// How many of the people of a period came back in the periods behind it.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { WeirError } from "../../shared/problem.ts";
import { type ActiveAsked, activeSets, canUseBits } from "./active-modelled.ts";
import { type Breakdown, brokenDown, breakdown as kinds, tagValue } from "./breakdown.ts";
import { type Buckets, cutBuckets } from "./buckets.ts";
import { asCounted } from "./events-counted.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { type AnswerRow, defineQuestion } from "./question.ts";
import type { Range } from "./range.ts";
import { cellsOfSets } from "./retention-modelled.ts";
import { activityOfEvents } from "./retention-raw.ts";
import type { Fragment } from "./within.ts";

/** A year of days. */
const periodsMax = 366;
const periodsDefault = 100;
/** Numbers in one answer: a year's triangle of days has a third of it. */
const cellsMax = 200_000;

export const retention = defineQuestion({
  name: "retention",
  summary: "People of each period, and how many of them were active in those behind it",
  parameters: z.strictObject({
    ...eventParameters,
    interval: interval.describe("Width of a period"),
    mode: z
      .enum(["first-time", "recurring"])
      .default("first-time")
      .describe(
        "first-time: a person belongs to the period of the first event ever of these types; recurring: to every period of the span with an event",
      ),
    periods: z.coerce
      .number()
      .int()
      .min(1)
      .max(periodsMax)
      .default(periodsDefault)
      .describe("How many periods a cohort is followed at most, its own included"),
    breakdown: kinds.describe("By what a cohort is split: what its people's first event in the period said"),
  }),
  row: z.object({
    cohort: bucket.describe("First day of the cohort's period"),
    breakdown: brokenDown,
    size: z.int().min(1),
    retained: z
      .array(z.int().min(0))
      .describe("Active people of the cohort in its own period and in each behind it that has begun"),
  }),
  isModelled: canUseSets,
  ask: async (tx, asked, opened) => {
    const isModelled = canUseSets(asked, opened);
    const range = isModelled ? await asCounted(tx, opened) : opened;
    const buckets = await cutBuckets(tx, asked, range);
    if (buckets === undefined || range.stored === undefined) return [];
    // A first event ever may lie long before the span.
    const isFirstTime = asked.mode === "first-time";
    const readFrom = isFirstTime ? Math.min(range.from, range.stored.first) : range.from;
    const counting = { ...asked, isFirstTime, buckets };
    const sets = isModelled ? activeSets(tx, asked, range, buckets, isFirstTime ? 0 : range.from) : undefined;
    const cells =
      sets === undefined
        ? await countCells(tx, activityOfEvents(tx, asked, range, buckets, readFrom), counting)
        : bound(await tx<Cell[]>`${cellsOfSets(tx, sets, counting)} limit ${cellsMax + 1}`);
    return inRows(cells, asked.breakdown !== undefined, asked.periods, buckets.count);
  },
});

// A breakdown is of events, which the sets do not hold.
function canUseSets(asked: ActiveAsked & { breakdown?: Breakdown | undefined }, range: Range): boolean {
  return asked.breakdown === undefined && canUseBits(asked, range);
}

interface Cell {
  /** The cohort's place, and how many periods behind it. */
  place: number;
  bucket: string;
  value: string | null;
  period: number;
  users: number;
}

interface Counting {
  isFirstTime: boolean;
  periods: number;
  buckets: Buckets;
}

/**
 * Counts people of activity (project_id, person, place, tag) by cohort and period. Those active in the same
 * periods are taken together first, so that pairs of periods are made once for all of them.
 */
async function countCells(
  tx: TransactionSql,
  activity: Fragment,
  { isFirstTime, periods, buckets }: Counting,
): Promise<readonly Cell[]> {
  const upTo = isFirstTime ? tx`1` : tx`cardinality(places)`;
  const cells = await tx<Cell[]>`
    select place, ${buckets.name} as bucket, value, period, users
    from (
      select cohorts.place, cohorts.value, active.place - cohorts.place as period,
        sum(people)::float8 as users
      from (
        select places, "values", count(*) as people
        from (
          select array_agg(place order by place) as places, array_agg(value order by place) as "values"
          from (select project_id, person, place, ${tagValue(tx)} as value from (${activity}) as seen) as told
          group by person, project_id
        ) as people
        group by 1, 2
      ) as alike
      cross join unnest(places[1:${upTo}], "values"[1:${upTo}]) as cohorts (place, value)
      cross join unnest(places) as active (place)
      where cohorts.place > 0
        and active.place - cohorts.place between 0 and ${periods}::int - 1
      group by 1, 2, 3
    ) as counted
    order by place, value, period
    limit ${cellsMax + 1}`;
  return bound(cells);
}

function bound(cells: readonly Cell[]): readonly Cell[] {
  if (cells.length <= cellsMax) return cells;
  const advice = "choose a shorter span, fewer periods or a wider interval";
  throw new WeirError("invalid_query", `The answer has more than ${cellsMax} numbers; ${advice}.`);
}

// Cells come in the order of their rows. A period nobody came back in has no cell, and is a nought.
function inRows(cells: readonly Cell[], isBroken: boolean, periods: number, last: number): AnswerRow[] {
  const rows: { cohort: string; breakdown?: string | null; size: number; retained: number[] }[] = [];
  let before: Cell | undefined;
  for (const cell of cells) {
    if (before?.place !== cell.place || before.value !== cell.value) {
      rows.push({
        cohort: cell.bucket,
        ...(isBroken ? { breakdown: cell.value } : {}),
        size: cell.users,
        retained: new Array<number>(Math.min(periods, last - cell.place + 1)).fill(0),
      });
    }
    rows.at(-1)!.retained[cell.period] = cell.users;
    before = cell;
  }
  return rows;
}
