// How many events of each type there were in each bucket.
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { behindBucket, cursorOf, pageLimit, rowsWanted } from "./cursor.ts";
import { countedEvents } from "./events-counted.ts";
import { canModel } from "./modelled.ts";
import { bucket, eventParameters, identifier, interval } from "./parameters.ts";
import { defineQuestion } from "./question.ts";

export const events = defineQuestion({
  name: "events",
  summary: "Events per bucket and type",
  parameters: z.strictObject({
    ...eventParameters,
    interval,
    by: z.enum(["type"]).default("type").describe("What a bucket is split by"),
    limit: pageLimit,
    cursor: cursorOf(z.tuple([bucket, identifier])),
  }),
  row: z.object({ bucket, type: z.string(), events: z.int().min(1) }),
  placeOf: (row) => [String(row["bucket"]), String(row["type"])],
  isModelled: canModel,
  ask: async (tx, asked, range) => {
    const { rows, count, range: counted } = await countedEvents(tx, asked, behindBucket(range, asked.cursor));
    const buckets = await cutBuckets(tx, asked, counted);
    if (buckets === undefined) return [];
    const [day, type] = asked.cursor ?? [];
    const { name } = buckets;
    return tx`
      select ${name} as bucket, type, events
      from (
        select ${buckets.place} as place, type, ${count}::float8 as events
        from (${rows}) as events
        group by 1, 2
      ) as counted
      ${day === undefined ? tx`` : tx`where ${name} > ${day} or (${name} = ${day} and type > ${type!})`}
      order by place, type
      limit ${rowsWanted(asked)}`;
  },
});
