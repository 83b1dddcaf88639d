// How many events of each type there were in each bucket.
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { countedEvents } from "./events-counted.ts";
import { canModel } from "./modelled.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";

export const events = defineQuestion({
  name: "events",
  summary: "Events per bucket and type",
  parameters: z.strictObject({
    ...eventParameters,
    interval,
    by: z.enum(["type"]).default("type").describe("What a bucket is split by"),
  }),
  row: z.object({ bucket, type: z.string(), events: z.int().min(1) }),
  isModelled: canModel,
  ask: async (tx, asked, range) => {
    const { rows, count, range: counted } = await countedEvents(tx, asked, range);
    const buckets = await cutBuckets(tx, asked, counted);
    if (buckets === undefined) return [];
    return tx`
      select ${buckets.name} as bucket, type, events
      from (
        select ${buckets.place} as place, type, ${count}::float8 as events
        from (${rows}) as events
        group by 1, 2
      ) as counted
      order by place, type
      limit ${rowLimit}`;
  },
});
