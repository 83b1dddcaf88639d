// Whose an event is, for questions that follow a person from event to event.
import type { TransactionSql } from "postgres";
import { type EventsAsked, type Fragment, type Span, within } from "./within.ts";

/**
 * A subquery of the span's events, their columns and `person`, as `users` has it; events of nobody are left
 * out. An id names a person within its project. Texts are compared by bytes: that sorts them fastest, and
 * alike in every database.
 */
export function eventsOfPeople(
  tx: TransactionSql,
  asked: EventsAsked,
  span: Span,
  columns: Fragment,
): Fragment {
  if (asked.users === "linked") {
    return tx`
      select project_id collate "C" as project_id,
        coalesce(events.user_id, user_links.user_id, anonymous_id) collate "C" as person, ${columns}
      from events
      left join user_links using (project_id, anonymous_id)
      where ${within(tx, asked, span)}
        and (events.user_id is not null or anonymous_id is not null)`;
  }
  const person = asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`;
  return tx`
    select project_id collate "C" as project_id, ${person} collate "C" as person, ${columns}
    from events
    where ${within(tx, asked, span)}
      and ${person} is not null`;
}
