// The steps of a funnel out of the model: sorted times of what people did.
import type { TransactionSql } from "postgres";
import type { Range } from "./range.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface StepsModelled extends Pick<EventsAsked, "project" | "users"> {
  /** The type of each step. */
  steps: readonly string[];
}

interface Windowed extends Pick<EventsAsked, "users"> {
  window: number | "session";
  breakdown?: string | undefined;
}

/** Whether the model knows the answer: nobody is somebody else in it, it has no sessions, and only times. */
export function canUseTimes<Asked extends Windowed>(asked: Asked): asked is Asked & { window: number } {
  return asked.users !== "linked" && asked.window !== "session" && asked.breakdown === undefined;
}

/**
 * Rows (project_id, person, event_time, kind, tag, until) as `stepsWithin` has them, though one for each of
 * equal events; `person` is a number, `tag` null.
 */
export function stepsOfTimes(
  tx: TransactionSql,
  asked: StepsModelled,
  range: Range,
  types: readonly string[],
  windowMs: number,
): Fragment {
  return tx`
    select project_id, number as person, moment as event_time, null::text as tag,
      moment + interval '1 millisecond' * ${windowMs}::float8 as until,
      array_position(${[...types]}::text[], type) as kind
    from (${rowsOf(tx, asked, types, monthsOf(range))}) as rows
    cross join unnest(times) as moment
    where moment >= ${momentOf(tx, range.from)} and moment < ${momentOf(tx, range.to)}`;
}

/**
 * How many people took each of the steps from their first step 1 on, in any order. Each step is the first
 * time behind the one before: there is no better way.
 */
export async function countFirstWays(
  tx: TransactionSql,
  asked: StepsModelled,
  range: Range,
  windowMs: number,
): Promise<number[]> {
  const months = monthsOf(range);
  const [first, ...later] = asked.steps.map((type) => rowsOf(tx, asked, [type], months));
  const counts = asked.steps.map(
    (_, at) => tx`
      ${at === 0 ? tx`` : tx`union all`}
      select ${at}::int as place, count(*)::float8 as users from ${tx(`step_${at + 1}`)}`,
  );
  // How many people come to a step is not known beforehand. Few are thought to, and each of them would be
  // looked up alone, or sorted with all of their times.
  await tx`select set_config('enable_nestloop', 'off', true), set_config('enable_sort', 'off', true)`;
  const rows = await tx<{ place: number; users: number }[]>`
    with ${firstStep(tx, first!, range, windowMs)}
    ${later.map((each, at) => nextStep(tx, each, at + 1))}
    ${counts}`;
  const users = new Array<number>(asked.steps.length).fill(0);
  for (const row of rows) users[row.place] = row.users;
  return users;
}

function firstStep(tx: TransactionSql, rows: Fragment, { from, to }: Span, windowMs: number): Fragment {
  return tx`
    step_1 as (
      select project_id, number, moment,
        least(moment + interval '1 millisecond' * ${windowMs}::float8, ${momentOf(tx, to - 1)}) as until
      from (
        select project_id, number,
          min(case
            when times[1] >= ${momentOf(tx, from)} then times[1]
            else times[width_bucket(${momentOf(tx, from - 1)}, times) + 1]
          end) as moment
        from (${rows}) as rows
        group by project_id, number
      ) as begun
      where moment < ${momentOf(tx, to)}
    )`;
}

function nextStep(tx: TransactionSql, rows: Fragment, before: number): Fragment {
  return tx`
    , ${tx(`step_${before + 1}`)} as (
      select project_id, number, min(until) as until, min(next) as moment
      from (
        select project_id, number, until, times[width_bucket(moment, times) + 1] as next
        from ${tx(`step_${before}`)}
        join (${rows}) as rows using (project_id, number)
        offset 0
      ) as found
      group by project_id, number
      having min(next) <= min(until)
    )`;
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
