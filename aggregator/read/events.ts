// How many events of each type there were in each bucket.
import { z } from "zod";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";
import { withinUsers } from "./within.ts";

export const events = defineQuestion({
  name: "events",
  summary: "Events per bucket and type",
  parameters: z.strictObject({
    ...eventParameters,
    interval,
    by: z.enum(["type"]).default("type").describe("What a bucket is split by"),
  }),
  row: z.object({ bucket, type: z.string(), events: z.int().min(1) }),
  ask: (tx, asked, range) => tx`
    select to_char(bucket, 'YYYY-MM-DD') as bucket, type, events
    from (
      select date_trunc(${asked.interval}, event_time at time zone ${asked.tz}) as bucket,
        type,
        count(*)::float8 as events
      from events
      where ${withinUsers(tx, asked, range)}
      group by 1, 2
      order by 1, 2
      limit ${rowLimit}
    ) as counted
    order by counted.bucket, counted.type`,
});
