// Sessions, made of the events themselves: one row each, with its first and its last moment.
import type { TransactionSql } from "postgres";
import { eventsOfPeople } from "./people.ts";
import { type EventsAsked, type Fragment, type Span, withinUsers } from "./within.ts";

/** A person's next event after more than this begins another session. */
export const sessionGapMs: number = 30 * 60_000;

/**
 * Rows (project_id, person, event_time, ended) of the sessions that begin in the span, as its events up to
 * `readTo` show them: one whose `ended` is within a gap of `readTo` may go on behind it.
 */
export function sessionsByGap(tx: TransactionSql, asked: EventsAsked, span: Span, readTo: number): Fragment {
  // What a session began with, if it began before the span, lies no more than a gap before it.
  const read = { from: span.from - sessionGapMs, to: readTo };
  const gap = tx`interval '1 millisecond' * ${sessionGapMs}::int`;
  // Of each session only its first row is kept; the one before the next first row is its last.
  return tx`
    select project_id, person, event_time, ended
    from (
      select project_id, person, event_time,
        coalesce(
          lead(before) over (partition by person, project_id order by event_time),
          newest
        ) as ended
      from (
        select project_id, person, event_time,
          lag(event_time) over own as before,
          max(event_time) over (partition by person, project_id) as newest
        from (
          select project_id, person, event_time
          from (${eventsOfPeople(tx, asked, read, tx`event_time`)}) as visits
          group by person, project_id, event_time
        ) as moments
        window own as (partition by person, project_id order by event_time)
      ) as paired
      where before is null
        or event_time - before > ${gap}
    ) as begun
    where event_time >= to_timestamp(${span.from}::float8 / 1000)
      and event_time < to_timestamp(${span.to}::float8 / 1000)`;
}

/**
 * Rows (project_id, session_id, event_time, ended) of the sessions that clients named and that begin in the
 * span. A client may come back to one at any time, so that all of `stored` is read.
 */
export function sessionsById(tx: TransactionSql, asked: EventsAsked, span: Span, stored: Span): Fragment {
  return tx`
    select project_id, session_id, min(event_time) as event_time, max(event_time) as ended
    from events
    where ${withinUsers(tx, asked, stored)}
      and session_id is not null
    group by 1, 2
    having min(event_time) >= to_timestamp(${span.from}::float8 / 1000)
      and min(event_time) < to_timestamp(${span.to}::float8 / 1000)`;
}
