// Sessions by gap from their model: pieces that end with the UTC day, joined where they belong together.
import type { TransactionSql } from "postgres";
import type { Range } from "./range.ts";
import { sessionGapMs } from "./sessions-raw.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

/** Whether the model knows the answer: it has no types, and nobody is somebody else in it. */
export function canUsePieces({ types, users, by }: EventsAsked & { by: string }): boolean {
  return by === "gap" && types === undefined && users !== "linked";
}

/** What the model holds: days of which events have expired stay in it, so it may begin before what is stored. */
export async function readPieced(tx: TransactionSql): Promise<Range["stored"]> {
  const [row] = await tx<[{ first: Date | null; last: Date | null }]>`
    select min(day)::timestamp at time zone 'UTC' as first, (max(day) + 1)::timestamp at time zone 'UTC' as last
    from person_sessions`;
  const { first, last } = row;
  return first === null || last === null ? undefined : { first: first.getTime(), last: last.getTime() - 1 };
}

/**
 * Rows (project_id, number, started_at, ended_at, events) of the sessions that begin in the span, as pieces
 * that begin before `readTo` show them: one whose `ended_at` is within a gap of `readTo` may go on behind it.
 */
export function sessionsSource(tx: TransactionSql, asked: EventsAsked, span: Span, readTo: number): Fragment {
  const gap = tx`interval '1 millisecond' * ${sessionGapMs}::int`;
  const pieces = piecesOf(tx, asked, span, readTo);
  const isAll = asked.users !== "identified";
  // Only what is near a midnight, or of a person with both kinds of ids, can continue another piece.
  const isAlone = tx`
    date_bin('24 hours', started_at - ${gap}, 'epoch') = date_bin('24 hours', ended_at + ${gap}, 'epoch')
    ${isAll ? tx`and (project_id, number) not in (select project_id, number from both_kinds)` : tx``}`;
  return tx`
    ${isAll ? tx`with both_kinds as materialized (${withBothKinds(tx, pieces)})` : tx``}
    select project_id, number, started_at, ended_at, events
    from (
      select project_id, number, started_at, ended_at, events
      from (${pieces}) as pieces
      where ${isAlone}
      union all
      select project_id, number, min(started_at), max(ended_at), sum(events)
      from (
        select *, count(*) filter (where is_new) over own as place
        from (
          select *, started_at - max(ended_at) over (own rows between unbounded preceding and 1 preceding) > ${gap} as is_new
          from (${pieces}) as pieces
          where not (${isAlone})
          window own as (partition by number, project_id order by started_at, ended_at)
        ) as begun
        window own as (partition by number, project_id order by started_at, ended_at rows unbounded preceding)
      ) as placed
      group by number, place, project_id
    ) as sessions
    where started_at >= to_timestamp(${span.from}::float8 / 1000)
      and started_at < to_timestamp(${span.to}::float8 / 1000)`;
}

// What begins in the span can only continue what ended less than a gap before it, on the same or the last day.
function piecesOf(tx: TransactionSql, asked: EventsAsked, span: Span, readTo: number): Fragment {
  return tx`
    select project_id, number, is_identified, started_at, ended_at, events
    from person_sessions
    where day >= (to_timestamp(${span.from - sessionGapMs}::float8 / 1000) at time zone 'UTC')::date
      and day <= (to_timestamp(${readTo}::float8 / 1000) at time zone 'UTC')::date
      and started_at < to_timestamp(${readTo}::float8 / 1000)
      ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
      ${asked.users === "identified" ? tx`and is_identified` : tx``}`;
}

// A text that was sent as user_id and as anonymous_id.
function withBothKinds(tx: TransactionSql, pieces: Fragment): Fragment {
  return tx`
    select distinct project_id, number
    from (${pieces}) as pieces
    where not is_identified
      and (project_id, number) in (select project_id, number from (${pieces}) as pieces where is_identified)`;
}
