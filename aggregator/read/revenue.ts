// How much money each bucket brought, by currency; what was given back counts negative.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { behindBucket, cursorOf, pageLimit, rowsWanted } from "./cursor.ts";
import { countedEvents } from "./events-counted.ts";
import { canModel } from "./modelled.ts";
import { bucket, eventParameters, identifier, interval } from "./parameters.ts";
import { defineQuestion } from "./question.ts";
import type { Fragment } from "./within.ts";

export const revenue = defineQuestion({
  name: "revenue",
  summary: "Revenue per bucket and currency",
  parameters: z.strictObject({
    ...eventParameters,
    interval,
    limit: pageLimit,
    cursor: cursorOf(z.tuple([bucket, identifier.nullable()])),
  }),
  row: z.object({
    bucket,
    currency: z.string().nullable().describe("null where the event named none"),
    revenue: z.number().describe("Sum of payload.revenue of all types, negatives included"),
  }),
  placeOf: (row) => [String(row["bucket"]), row["currency"] as string | null],
  isModelled: canModel,
  // The sum stays decimal until it is whole; one conversion at the end keeps every cent.
  ask: async (tx, asked, range) => {
    const {
      rows,
      hasRevenue,
      range: counted,
    } = await countedEvents(tx, asked, behindBucket(range, asked.cursor));
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
      ${asked.cursor === undefined ? tx`` : tx`where ${behind(tx, buckets.name, asked.cursor)}`}
      order by place, currency
      limit ${rowsWanted(asked)}`;
    return sums.map((row) => ({ ...row, revenue: Number(row.revenue) }));
  },
});

// In the order of the answer what has no currency comes last.
function behind(
  tx: TransactionSql,
  bucket: Fragment,
  [day, currency]: readonly [string, string | null],
): Fragment {
  if (currency === null) return tx`${bucket} > ${day}`;
  return tx`${bucket} > ${day} or (${bucket} = ${day} and (currency > ${currency} or currency is null))`;
}
