// How many different people were active in each bucket.
import { z } from "zod";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";
import { within } from "./within.ts";

export const activeUsers = defineQuestion({
  name: "active-users",
  summary: "Distinct people per bucket",
  parameters: z.strictObject({ ...eventParameters, interval }),
  row: z.object({ bucket, active_users: z.int().min(0).describe("Distinct ids, as they were sent") }),
  // Grouping twice hashes each person once; count(distinct) would sort every event, at thrice the time.
  ask: (tx, asked, range) => tx`
    select to_char(bucket, 'YYYY-MM-DD') as bucket, count(person)::float8 as active_users
    from (
      select date_trunc(${asked.interval}, event_time at time zone ${asked.tz}) as bucket,
        ${asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`} as person
      from events
      where ${within(tx, asked, range)}
      group by 1, 2
    ) as people
    group by people.bucket
    order by people.bucket
    limit ${rowLimit}`,
});
