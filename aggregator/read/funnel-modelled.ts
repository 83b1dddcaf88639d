// How far people came along the steps of a funnel, from the sorted times of what they did.
import type { TransactionSql } from "postgres";
import { depths, type Path } from "./funnel-depth.ts";
import type { Range } from "./range.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface StepsModelled extends Pick<EventsAsked, "project" | "users"> {
  /** The type of each step. */
  steps: readonly string[];
}

/** Whether the model knows the answer: nobody is somebody else in it, it has no sessions, and only times. */
export function canUseTimes(
  asked: Pick<EventsAsked, "users"> & { window: number | "session"; breakdown?: string | undefined },
): boolean {
  return asked.users !== "linked" && asked.window !== "session" && asked.breakdown === undefined;
}

/**
 * Rows (project_id, person, kind, tag, depth) as `depths` has them of `stepsWithin`, though less of them: the
 * greatest depth of a person is the same. `person` is a number, `tag` null. The transaction's later statements
 * are to be planned for these rows alone.
 */
export async function depthsModelled(
  tx: TransactionSql,
  asked: StepsModelled,
  range: Range,
  path: Path,
  windowMs: number,
): Promise<{ rows: Fragment }> {
  const looked = { months: monthsOf(range), windowMs };
  if (path.entry === "first" && path.order === "any") {
    // How many people come to a step is not known beforehand. Few are thought to, and each of them would be
    // looked up alone, or sorted with all of their times.
    await tx`select set_config('enable_nestloop', 'off', true), set_config('enable_sort', 'off', true)`;
    return { rows: firstWays(tx, asked, range, looked) };
  }
  return { rows: depths(tx, allSteps(tx, asked, range, looked), path) };
}

interface Looked {
  months: readonly string[];
  windowMs: number;
}

// From a person's first step 1 on, each step is the first time behind the one before: there is no better way.
function firstWays(
  tx: TransactionSql,
  asked: StepsModelled,
  span: Span,
  { months, windowMs }: Looked,
): Fragment {
  const [first, ...later] = asked.steps.map((type) => rowsOf(tx, asked, [type], months));
  const window = tx`interval '1 millisecond' * ${windowMs}::float8`;
  const links = later.map(
    (rows, at) => tx`
      , ${tx(`step_${at + 2}`)} as (
        select project_id, number, min(until) as until, min(next) as moment
        from (
          select project_id, number, until, times[width_bucket(moment, times) + 1] as next
          from ${tx(`step_${at + 1}`)}
          join (${rows}) as rows using (project_id, number)
          offset 0
        ) as found
        group by project_id, number
        having min(next) <= min(until)
      )`,
  );
  const reached = asked.steps.map(
    (_, at) => tx`
      ${at === 0 ? tx`` : tx`union all`}
      select project_id, number as person, 1 as kind, null::text as tag, ${at + 1}::int as depth
      from ${tx(`step_${at + 1}`)}`,
  );
  return tx`
    with step_1 as (
      select project_id, number, least(moment + ${window}, ${momentOf(tx, span.to - 1)}) as until, moment
      from (
        select project_id, number,
          min(case
            when times[1] >= ${momentOf(tx, span.from)} then times[1]
            else times[width_bucket(${momentOf(tx, span.from - 1)}, times) + 1]
          end) as moment
        from (${first!}) as rows
        group by project_id, number
      ) as begun
      where moment < ${momentOf(tx, span.to)}
    )
    ${links}
    ${reached}`;
}

// Every step of the span, one row each; equal ones are no step of one another.
function allSteps(
  tx: TransactionSql,
  asked: StepsModelled,
  span: Span,
  { months, windowMs }: Looked,
): Fragment {
  const types = [...new Set(asked.steps)];
  const window = tx`interval '1 millisecond' * ${windowMs}::float8`;
  return tx`
    select project_id, number as person, moment as event_time, null::text as tag, moment + ${window} as until,
      array_position(${types}::text[], type) as kind
    from (${rowsOf(tx, asked, types, months)}) as rows
    cross join unnest(times) as moment
    where moment >= ${momentOf(tx, span.from)} and moment < ${momentOf(tx, span.to)}`;
}

function rowsOf(
  tx: TransactionSql,
  { project, users }: StepsModelled,
  types: readonly string[],
  months: readonly string[],
): Fragment {
  return tx`
    select project_id, number, type, times
    from step_times
    where month = any(${[...months]}::date[])
      and type = ${types.length === 1 ? types[0]! : tx`any(${[...types]}::text[])`}
      ${project === undefined ? tx`` : tx`and project_id = ${project}`}
      ${users === "identified" ? tx`and is_identified` : tx``}`;
}

/** Times of events are whole milliseconds; this is worked out once, before any row is read. */
const momentOf = (tx: TransactionSql, ms: number): Fragment => tx`to_timestamp(${ms}::float8 / 1000)`;

/** First days of the UTC months of the span, from 1970 on, where ids begin. */
function monthsOf({ from, to, stored, asOf }: Range): string[] {
  const last = Math.min(to - 1, Math.max(asOf, stored?.last ?? 0));
  const months: string[] = [];
  const month = new Date(Math.max(from, 0));
  for (month.setUTCDate(1), month.setUTCHours(0, 0, 0, 0); month.getTime() <= last; ) {
    months.push(month.toISOString().slice(0, 10));
    month.setUTCMonth(month.getUTCMonth() + 1);
  }
  return months;
}
