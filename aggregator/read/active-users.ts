// How many different people were active in each bucket.
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";
import { within } from "./within.ts";

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
      from (
        select ${buckets.place} as place,
          ${asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`} as person
        from events
        where ${within(tx, asked, range)}
        group by 1, 2
      ) as people
      group by place
      order by place
      limit ${rowLimit}`;
  },
});
