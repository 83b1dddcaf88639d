// How much money each bucket brought, by currency; what was given back counts negative.
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { countedEvents } from "./events-counted.ts";
import { canModel } from "./modelled.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";

export const revenue = defineQuestion({
  name: "revenue",
  summary: "Revenue per bucket and currency",
  parameters: z.strictObject({ ...eventParameters, interval }),
  row: z.object({
    bucket,
    currency: z.string().nullable().describe("null where the event named none"),
    revenue: z.number().describe("Sum of payload.revenue of all types, negatives included"),
  }),
  isModelled: canModel,
  // The sum stays decimal until it is whole; one conversion at the end keeps every cent.
  ask: async (tx, asked, range) => {
    const { rows, hasRevenue, range: counted } = await countedEvents(tx, asked, range);
    const buckets = await cutBuckets(tx, asked, counted);
    if (buckets === undefined) return [];
    const sums = await tx<{ bucket: string; currency: string | null; revenue: string }[]>`
      select ${buckets.name} as bucket, currency, revenue
      from (
        select ${buckets.place} as place, currency, sum(revenue)::text as revenue
        from (${rows}) as events
        where ${hasRevenue}
        group by 1, 2
      ) as summed
      order by place, currency
      limit ${rowLimit}`;
    return sums.map((row) => ({ ...row, revenue: Number(row.revenue) }));
  },
});
