// In which periods people were active, made of the events themselves: one row a person and period.
import type { TransactionSql } from "postgres";
import { type Breakdown, tagColumn } from "./breakdown.ts";
import type { Buckets } from "./buckets.ts";
import { eventsOfPeople } from "./people.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface ActivityAsked extends EventsAsked {
  breakdown?: Breakdown | undefined;
}

/**
 * Rows (project_id, person, place, tag). `place` is the period's number from 1, and 0 for all that was before
 * the span, from `readFrom` on; `tag` is of the person's first event there.
 */
export function activityOfEvents(
  tx: TransactionSql,
  asked: ActivityAsked,
  span: Span,
  buckets: Buckets,
  readFrom: number,
): Fragment {
  const columns = tx`event_time, ${tagColumn(tx, asked.breakdown)}`;
  return tx`
    select project_id, person, min(tag) as tag,
      case
        when event_time >= to_timestamp(${span.from}::float8 / 1000) then ${buckets.place}
        else 0
      end as place
    from (${eventsOfPeople(tx, asked, { from: readFrom, to: span.to }, columns)}) as seen
    group by person, project_id, place`;
}
