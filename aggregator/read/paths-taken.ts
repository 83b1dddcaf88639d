// The paths people took from one type of event on, or up to one: one row a path.
import type { TransactionSql } from "postgres";
import { momentBits } from "../model/step-times.ts";
import { eventsOfPeople } from "./people.ts";
import { sessionGapMs } from "./sessions-raw.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface PathsAsked extends EventsAsked {
  /** The type every path begins with; where `isBackward`, ends with. */
  anchor: string;
  isBackward: boolean;
  /** Types in a path at most, the anchor included. */
  steps: number;
  /** Milliseconds between the anchor and the farthest step, or all in its session. */
  within: number | "session";
  /** first: from a person's first anchor alone; any: from each. */
  entry: "first" | "any";
  /** Whether equal types behind one another are one step; at one moment they always are. */
  isCollapsed: boolean;
}

/** Whether the model of step times can answer: nobody is somebody else in it. */
export const canFollowTimes = ({ users }: Pick<EventsAsked, "users">): boolean => users !== "linked";

/** Rows (project_id, person, path); `path` is read away from the anchor, which is its first type. */
export function pathsTaken(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const { anchor, entry, steps, within, isBackward } = asked;
  const next = isBackward ? tx`lag` : tx`lead`;
  const later = Array.from({ length: steps - 1 }, (_, at) => {
    const of = (column: Fragment): Fragment => tx`${next}(${column}, ${at + 1}::int) over own`;
    const isNear =
      within === "session"
        ? tx`${of(tx`session`)} = session`
        : isBackward
          ? tx`${of(tx`at`)} >= at - ${within}::bigint`
          : tx`${of(tx`at`)} <= at + ${within}::bigint`;
    return tx`, case when ${isNear} then ${of(tx`type`)} end`;
  });
  // What is too far away is at the end of a path, so that no step is left out of its middle.
  return tx`
    select ${entry === "first" ? tx`distinct on (project_id, person)` : tx``} project_id, person, path
    from (
      select project_id, person, at, type, array_remove(array[type ${later}], null) as path
      from (${stepsTaken(tx, asked, span)}) as steps
      window own as (partition by person, project_id order by at, type)
    ) as paths
    where type = ${anchor}
    ${entry === "first" ? tx`order by project_id, person, at` : tx``}`;
}

// At one moment types follow one another by name, so that equal ones are together and nothing is left to chance.
function stepsTaken(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const isSession = asked.within === "session";
  const events = isSession ? inSessions(tx, asked, span) : eventsTaken(tx, asked, span);
  if (!asked.isCollapsed) return events;
  return tx`
    select *
    from (
      select *, lag(type) over own as before ${isSession ? tx`, lag(session) over own as session_before` : tx``}
      from (${events}) as events
      window own as (partition by person, project_id order by at, type)
    ) as followed
    where type is distinct from before ${isSession ? tx`or session <> session_before` : tx``}`;
}

// Events of every type make a session, also where paths are made of some alone.
function inSessions(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const { types } = asked;
  return tx`
    select *
    from (
      select *, count(*) filter (where is_new) over own as session
      from (
        select *,
          at - lag(at) over own > ${sessionGapMs}::int as is_new
        from (${eventsTaken(tx, { ...asked, types: undefined }, span)}) as events
        window own as (partition by person, project_id order by at, type)
      ) as gaps
      window own as (partition by person, project_id order by at, type)
    ) as numbered
    ${types === undefined ? tx`` : tx`where type = any(${[...types]}::text[])`}`;
}

/** Rows (project_id, person, at, type), one for equal events of one moment; `at` is in epoch ms. */
function eventsTaken(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const events = canFollowTimes(asked)
    ? timesTaken(tx, asked, span)
    : eventsOfPeople(
        tx,
        asked,
        span,
        tx`(date_part('epoch', event_time) * 1000)::bigint as at, type collate "C" as type`,
      );
  return tx`
    select project_id, person, at, type
    from (${events}) as events
    group by person, at, type, project_id`;
}

// A person is their number here; see the model for how it lies in a moment.
function timesTaken(
  tx: TransactionSql,
  { project, types, users }: EventsAsked,
  { from, to }: Span,
): Fragment {
  const dayOf = (ms: number): Fragment => tx`(to_timestamp(${ms}::float8 / 1000) at time zone 'UTC')::date`;
  return tx`
    select project_id, person, at, type collate "C" as type
    from (
      select project_id, moment >> ${momentBits}::int as person, type,
        (day - '1970-01-01'::date) * 86400000::bigint + (moment & ${2 ** momentBits - 1}::bigint) as at
      from step_times
      cross join unnest(firsts || others) as moment
      where day >= ${dayOf(from)} and day <= ${dayOf(to - 1)}
        ${types === undefined ? tx`` : tx`and type = any(${[...types]}::text[])`}
        ${project === undefined ? tx`` : tx`and project_id = ${project}`}
        ${users === "identified" ? tx`and is_identified` : tx``}
    ) as moments
    where at >= ${from} and at < ${to}`;
}
