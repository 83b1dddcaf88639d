// How many different people were active in each bucket.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { type Buckets, cutBuckets } from "./buckets.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";
import type { Range } from "./range.ts";
import { type EventsAsked, type Fragment, within } from "./within.ts";

export const activeUsers = defineQuestion({
  name: "active-users",
  summary: "Distinct people per bucket",
  parameters: z.strictObject({ ...eventParameters, interval }),
  row: z.object({ bucket, active_users: z.int().min(0).describe("Distinct ids, as they were sent") }),
  // Grouping twice hashes each person once; count(distinct) would sort every event, at thrice the time.
  ask: async (tx, asked, range) => {
    const buckets = await cutBuckets(tx, asked, range);
    if (buckets === undefined) return [];
    return tx`
      select ${buckets.name} as bucket, count(person)::float8 as active_users
      from (${people(tx, asked, range, buckets)}) as people
      group by place
      order by place
      limit ${rowLimit}`;
  },
});

// A row a bucket and person. Links are joined to the distinct ids, which are far fewer than events.
function people(tx: TransactionSql, asked: EventsAsked, range: Range, buckets: Buckets): Fragment {
  if (asked.users === "linked") {
    return tx`
      select place, coalesce(user_links.user_id, anonymous_id, ids.user_id) as person
      from (
        select ${buckets.place} as place, project_id, user_id,
          case when user_id is null then anonymous_id end as anonymous_id
        from events
        where ${within(tx, asked, range)}
        group by 1, 2, 3, 4
      ) as ids
      left join user_links using (project_id, anonymous_id)
      group by 1, 2`;
  }
  return tx`
    select ${buckets.place} as place,
      ${asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`} as person
    from events
    where ${within(tx, asked, range)}
    group by 1, 2`;
}
