// Who was active when, out of the events themselves, for what the model cannot answer.
import type { TransactionSql } from "postgres";
import type { Buckets } from "./buckets.ts";
import { type EventsAsked, type Fragment, type Span, within } from "./within.ts";

/**
 * Rows (place, project_id, person) of the span, each once; `person` is null for events of nobody. Grouped, each is
 * hashed once, where count(distinct) would sort every event, at thrice the time. Links are joined to the distinct
 * ids, which are far fewer than events.
 */
export function activePeople(tx: TransactionSql, asked: EventsAsked, span: Span, buckets: Buckets): Fragment {
  if (asked.users === "linked") {
    return tx`
      select place, project_id, coalesce(user_links.user_id, anonymous_id, ids.user_id) as person
      from (
        select ${buckets.place} as place, project_id, user_id,
          case when user_id is null then anonymous_id end as anonymous_id
        from events
        where ${within(tx, asked, span)}
        group by 1, 2, 3, 4
      ) as ids
      left join user_links using (project_id, anonymous_id)
      group by 1, 2, 3`;
  }
  return tx`
    select ${buckets.place} as place, project_id,
      ${asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`} as person
    from events
    where ${within(tx, asked, span)}
    group by 1, 2, 3`;
}
