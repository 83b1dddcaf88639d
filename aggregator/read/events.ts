// How many events of each type there were in each bucket.
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
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
  ask: async (tx, asked, range) => {
    const buckets = await cutBuckets(tx, asked, range);
    if (buckets === undefined) return [];
    return tx`
      select ${buckets.name} as bucket, type, events
      from (
        select ${buckets.place} as place, type, count(*)::float8 as events
        from events
        where ${withinUsers(tx, asked, range)}
        group by 1, 2
      ) as counted
      order by place, type
      limit ${rowLimit}`;
  },
});
