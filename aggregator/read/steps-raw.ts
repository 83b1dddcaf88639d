// The steps people took, made of the events themselves: one row each moment and type.
import type { TransactionSql } from "postgres";
import { type Breakdown, tagColumn } from "./breakdown.ts";
import { eventsOfPeople } from "./people.ts";
import { sessionGapMs } from "./sessions-raw.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface StepsAsked extends EventsAsked {
  breakdown?: Breakdown | undefined;
}

/**
 * Rows (project_id, person, event_time, kind, tag, until) of the span's events of `types`. `kind` is the
 * type's place in `types`, from 1; `until` is the last moment of who begins here: `windowMs` later.
 */
export function stepsWithin(
  tx: TransactionSql,
  asked: StepsAsked,
  span: Span,
  types: readonly string[],
  windowMs: number,
): Fragment {
  const columns = tx`event_time, ${kindOf(tx, types)}, ${tagColumn(tx, asked.breakdown)}`;
  return tx`
    select project_id, person, event_time, kind, min(tag) as tag,
      event_time + interval '1 millisecond' * ${windowMs}::float8 as until
    from (${eventsOfPeople(tx, { ...asked, types }, span, columns)}) as taken
    group by project_id, person, event_time, kind`;
}

/** The same rows; `until` is the end of the person's session, which events of every type make. */
export function stepsOfSessions(
  tx: TransactionSql,
  asked: StepsAsked,
  span: Span,
  types: readonly string[],
): Fragment {
  const columns = tx`event_time, ${kindOf(tx, types)}, ${tagColumn(tx, asked.breakdown)}`;
  // Read from the newest on, a session's end is the least one seen so far.
  return tx`
    select project_id, person, event_time, kind, tag, until
    from (
      select project_id, person, event_time, kinds, tags,
        min(event_time) filter (where after is null or after - event_time > ${sessionGapMs}::float8 * interval '1 millisecond')
          over own as until
      from (
        select project_id, person, event_time, kinds, tags, lag(event_time) over own as after
        from (
          select project_id, person, event_time, array_agg(kind) as kinds, array_agg(tag) as tags
          from (
            select project_id, person, event_time, kind, min(tag) as tag
            from (${eventsOfPeople(tx, asked, span, columns)}) as taken
            group by person, project_id, event_time, kind
          ) as told
          group by person, project_id, event_time
        ) as moments
        window own as (partition by person, project_id order by event_time desc)
      ) as followed
      window own as (partition by person, project_id order by event_time desc)
    ) as ended
    cross join unnest(kinds, tags) as step (kind, tag)
    where kind is not null`;
}

const kindOf = (tx: TransactionSql, types: readonly string[]): Fragment =>
  tx`array_position(${[...types]}::text[], type) as kind`;
