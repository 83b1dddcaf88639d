// How many people took each step of a path, one after the other, within a window.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { brokenDown, breakdown as kinds, tagValue } from "./breakdown.ts";
import { followed } from "./follow.ts";
import { depths, type Path } from "./funnel-depth.ts";
import { canUseTimes, countWalked } from "./funnel-modelled.ts";
import { eventParameters, typeList } from "./parameters.ts";
import { type AnswerRow, defineQuestion, rowLimit } from "./question.ts";
import type { Range } from "./range.ts";
import { type StepsAsked, stepsOfSessions, stepsWithin } from "./steps-raw.ts";
import type { Fragment } from "./within.ts";

const stepsMin = 2;
const stepsMax = 10;

const { types: _, ...parameters } = eventParameters;

export const funnel = defineQuestion({
  name: "funnel",
  summary: "People who took the first steps of a path, each strictly later than the one before",
  parameters: z.strictObject({
    ...parameters,
    steps: typeList
      .pipe(z.array(z.string()).min(stepsMin).max(stepsMax))
      .describe("Event types in their order, comma-separated, 2 to 10; one may come again"),
    window: followed.describe(
      "Time from step 1 in which all steps lie, 30m, 12h or 30d; session: all lie in the session of step 1",
    ),
    entry: z
      .enum(["first", "any"])
      .default("first")
      .describe(
        "first: it begins with a person's first step 1 of the span; any: with the one that leads farthest",
      ),
    order: z
      .enum(["any", "strict"])
      .default("any")
      .describe("strict: between two steps lies no event of another of the steps"),
    breakdown: kinds.describe("By what people are split: what their first step 1 of the span said"),
  }),
  row: z.object({
    breakdown: brokenDown,
    step: z.int().min(1),
    type: z.string(),
    users: z.int().min(0),
  }),
  isModelled: canUseTimes,
  ask: async (tx, asked, range) => {
    const types = [...new Set(asked.steps)];
    const path: Path = { ...asked, kinds: asked.steps.map((type) => types.indexOf(type) + 1) };
    if (canUseTimes(asked)) {
      const users = await countWalked(
        tx,
        { ...asked, ...path, types, windowMs: asked.window === "session" ? Infinity : asked.window },
        range,
      );
      return asked.steps.map((type, at) => ({ step: at + 1, type, users: users[at]! }));
    }
    const reached = await countReached(tx, depths(tx, stepsOf(tx, asked, range, types), path), path);
    return inRows(reached, asked.steps, asked.breakdown !== undefined);
  },
});

interface FunnelAsked extends StepsAsked {
  steps: readonly string[];
  window: number | "session";
}

function stepsOf(tx: TransactionSql, asked: FunnelAsked, range: Range, types: readonly string[]): Fragment {
  return asked.window === "session"
    ? stepsOfSessions(tx, asked, range, types)
    : stepsWithin(tx, asked, range, types, asked.window);
}

interface Reached {
  value: string | null;
  /** How many people took exactly so many steps. */
  depth: number;
  users: number;
}

/** Counts people of rows (project_id, person, kind, tag, depth) by how far they came. */
function countReached(tx: TransactionSql, rows: Fragment, { kinds }: Path): Promise<Reached[]> {
  return tx<Reached[]>`
    select value, depth, count(*)::float8 as users
    from (
      select depth, ${tagValue(tx)} as value
      from (
        select max(depth) as depth, min(tag) filter (where kind = ${kinds[0]!}) as tag
        from (${rows}) as judged
        group by person, project_id
      ) as people
    ) as told
    where depth > 0
    group by 1, 2
    order by value, depth
    limit ${rowLimit}`;
}

function inRows(reached: readonly Reached[], steps: readonly string[], isBroken: boolean): AnswerRow[] {
  const values = isBroken ? [...new Set(reached.map(({ value }) => value))] : [undefined];
  return values.flatMap((value) => {
    const own = reached.filter((each) => value === undefined || each.value === value);
    return steps.map((type, at) => ({
      ...(value === undefined ? {} : { breakdown: value }),
      step: at + 1,
      type,
      users: own.reduce((sum, { depth, users }) => sum + (depth > at ? users : 0), 0),
    }));
  });
}
