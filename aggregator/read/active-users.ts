// How many different people were active in each bucket.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { activeSets, canUseBits } from "./active-modelled.ts";
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
  isModelled: canUseBits,
  ask: async (tx, asked, range) => {
    const buckets = await cutBuckets(tx, asked, range);
    if (buckets === undefined) return [];
    const sets = canUseBits(asked, range) ? activeSets(tx, asked, range, buckets) : undefined;
    const counted =
      sets === undefined
        ? tx`
          select place, count(*)::float8 as active_users
          from (${people(tx, asked, range, buckets)}) as people
          where person is not null
          group by place`
        : tx`
          select place, sum(bit_count(bits))::float8 as active_users
          from (${sets}) as sets
          group by place`;
    return tx`
      select ${buckets.name} as bucket, active_users
      from (${counted}) as counted
      order by place
      limit ${rowLimit}`;
  },
});

// A row a bucket and person of a project: grouped, each is hashed once, where count(distinct) would sort every
// event, at thrice the time. Links are joined to the distinct ids, which are far fewer than events.
function people(tx: TransactionSql, asked: EventsAsked, range: Range, buckets: Buckets): Fragment {
  if (asked.users === "linked") {
    return tx`
      select place, project_id, coalesce(user_links.user_id, anonymous_id, ids.user_id) as person
      from (
        select ${buckets.place} as place, project_id, user_id,
          case when user_id is null then anonymous_id end as anonymous_id
        from events
        where ${within(tx, asked, range)}
        group by 1, 2, 3, 4
      ) as ids
      left join user_links using (project_id, anonymous_id)
      group by 1, 2, 3`;
  }
  return tx`
    select ${buckets.place} as place, project_id,
      ${asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`} as person
    from events
    where ${within(tx, asked, range)}
    group by 1, 2, 3`;
}
