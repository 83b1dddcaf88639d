// The paths people took from one type of event on, or up to one, made of the events themselves: one row a path.
import type { TransactionSql } from "postgres";
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
  /** Whether equal types behind one another are one step. */
  isCollapsed: boolean;
}

/** Rows (project_id, person, path); `path` is read away from the anchor, which is its first type. */
export function pathsTaken(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const { anchor, entry, steps, within, isBackward } = asked;
  const reach = tx`interval '1 millisecond' * ${within === "session" ? 0 : within}::float8`;
  const next = isBackward ? tx`lag` : tx`lead`;
  const later = Array.from({ length: steps - 1 }, (_, at) => {
    const type = tx`${next}(type, ${at + 1}::int) over own`;
    if (within === "session") return tx`, ${type}`;
    const time = tx`${next}(event_time, ${at + 1}::int) over own`;
    const isNear = isBackward ? tx`${time} >= event_time - ${reach}` : tx`${time} <= event_time + ${reach}`;
    return tx`, case when ${isNear} then ${type} end`;
  });
  // What is too far away is at the end of a path, so that no step is left out of its middle.
  return tx`
    select ${entry === "first" ? tx`distinct on (project_id, person)` : tx``} project_id, person, path
    from (
      select project_id, person, id, type, array_remove(array[type ${later}], null) as path
      from (${stepsTaken(tx, asked, span)}) as steps
      window own as (partition by person, project_id, session order by id)
    ) as paths
    where type = ${anchor}
    ${entry === "first" ? tx`order by project_id, person, id` : tx``}`;
}

// Ids begin with their event's time, and decide between events of one moment.
function stepsTaken(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const events = asked.within === "session" ? inSessions(tx, asked, span) : inSpan(tx, asked, span);
  if (!asked.isCollapsed) return events;
  return tx`
    select *
    from (
      select *, lag(type) over (partition by person, project_id, session order by id) as before
      from (${events}) as events
    ) as followed
    where type is distinct from before`;
}

const columns = (tx: TransactionSql): Fragment => tx`id, event_time, type collate "C" as type`;

const inSpan = (tx: TransactionSql, asked: PathsAsked, span: Span): Fragment =>
  eventsOfPeople(tx, asked, span, tx`${columns(tx)}, 0 as session`);

// Events of every type make a session, also where paths are made of some alone.
function inSessions(tx: TransactionSql, asked: PathsAsked, span: Span): Fragment {
  const { types, ...all } = asked;
  return tx`
    select *
    from (
      select *, count(*) filter (where is_new) over (partition by person, project_id order by id) as session
      from (
        select *,
          event_time - lag(event_time) over (partition by person, project_id order by id)
            > interval '1 millisecond' * ${sessionGapMs}::int as is_new
        from (${eventsOfPeople(tx, all, span, columns(tx))}) as events
      ) as gaps
    ) as numbered
    ${types === undefined ? tx`` : tx`where type = any(${[...types]}::text[])`}`;
}
