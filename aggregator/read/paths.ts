// Which ways people took from one type of event on, or up to one: the most frequent first.
import { z } from "zod";
import { WeirError } from "../../shared/problem.ts";
import { followed } from "./follow.ts";
import { eventParameters, identifier, typeList } from "./parameters.ts";
import { canFollowTimes, pathsTaken } from "./paths-taken.ts";
import { defineQuestion } from "./question.ts";

const stepsMax = 6;
const pathsMax = 1_000;

const { types: _, ...parameters } = eventParameters;

export const paths = defineQuestion({
  name: "paths",
  summary: "What people did after one type of event, or before one, step by step",
  parameters: z.strictObject({
    ...parameters,
    start: identifier.optional().describe("The type every path begins with; or `end`"),
    end: identifier.optional().describe("The type every path ends with; or `start`"),
    steps: z.coerce
      .number()
      .int()
      .min(2)
      .max(stepsMax)
      .default(4)
      .describe("Steps of a path at most, `start` or `end` included"),
    within: followed.describe(
      "Time from `start`, or up to `end`, in which all steps lie, 30m, 12h or 30d; session: all lie in one session",
    ),
    entry: z
      .enum(["first", "any"])
      .default("first")
      .describe("first: one path a person, of their first `start` or `end` in the span; any: one of each"),
    repeats: z
      .enum(["once", "each"])
      .default("once")
      .describe(
        "once: equal types behind one another are one step, at the first of them; each: at each of their moments",
      ),
    types: typeList
      .optional()
      .describe("Event types a path is made of beside `start` or `end`; all of them when absent"),
    limit: z.coerce.number().int().min(1).max(pathsMax).default(100).describe("Paths at most"),
  }),
  row: z.object({
    depth: z.int().min(1).describe("Steps of this path"),
    path: z.array(z.string()).describe("Event types in the order of time, at one moment by name"),
    users: z.int().min(1).describe("People with such a path, whether or not it went on"),
    times: z.int().min(1).describe("How often it was taken; as `users` with entry=first"),
    ended: z.int().min(0).describe("How often it went no further, where `steps` let it"),
    share: z.number().describe("`users` as a part of all who were at `start` or `end`"),
  }),
  isModelled: canFollowTimes,
  // A path is as frequent as any that goes on from it, or more, so that no row is without the one before it.
  ask: async (tx, asked, range) => {
    const anchor = asked.start ?? asked.end;
    if (anchor === undefined || (asked.start !== undefined && asked.end !== undefined)) {
      throw new WeirError("invalid_query", "start, end: name the one type that paths begin or end with");
    }
    const isBackward = asked.start === undefined;
    const types = asked.types === undefined ? undefined : [...asked.types, anchor];
    const isCollapsed = asked.repeats === "once";
    const taken = pathsTaken(tx, { ...asked, types, anchor, isBackward, isCollapsed }, range);
    const rows = await tx<Row[]>`
      select path, depth, count(*)::float8 as users, sum(times)::float8 as times, sum(ended)::float8 as ended
      from (
        select path[:depth] as path, depth, project_id, person, count(*) as times,
          count(*) filter (where cardinality(path) = depth and depth < ${asked.steps}::int) as ended
        from (${taken}) as taken
        cross join generate_series(1, cardinality(path)) as depth
        group by 1, 2, 3, 4
      ) as people
      group by 1, 2
      order by users desc, times desc, depth, path collate "C"
      limit ${asked.limit}`;
    return rows.map(({ path, depth, users, times, ended }) => ({
      depth,
      path: isBackward ? path.toReversed() : path,
      ...{ users, times, ended },
      share: users / rows[0]!.users,
    }));
  },
});

interface Row {
  path: string[];
  depth: number;
  users: number;
  times: number;
  ended: number;
}
