// How many different people were active in each bucket.
import { z } from "zod";
import { activeSets, canUseBits } from "./active-modelled.ts";
import { activePeople } from "./active-raw.ts";
import { askRolling, canUseBitsFor } from "./active-rolling.ts";
import { cutBuckets } from "./buckets.ts";
import { asCounted } from "./events-counted.ts";
import { bucket, eventParameters, interval } from "./parameters.ts";
import { defineQuestion, rowLimit } from "./question.ts";

/** Days that a rolling count looks back at most: a quarter, which is also some hundred unions of a person's days. */
const rollingDaysMax = 90;

const rolling = z
  .string()
  .regex(/^\d{1,2}d$/, "must be a number of days such as 28d")
  .transform((text) => Number.parseInt(text, 10))
  .refine((days) => days >= 1 && days <= rollingDaysMax, `must be from 1d to ${rollingDaysMax}d`)
  .optional()
  .describe("Count the people of so many days up to each bucket's end, such as 7d or 28d");

export const activeUsers = defineQuestion({
  name: "active-users",
  summary: "Distinct people per bucket",
  parameters: z.strictObject({ ...eventParameters, interval, rolling }),
  row: z.object({
    bucket,
    active_users: z.int().min(0).describe("Distinct ids, as they were sent; of all `rolling` days"),
    bucket_users: z.int().min(0).optional().describe("With `rolling`: those active in the bucket itself"),
    stickiness: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("With `rolling`: bucket_users / active_users, which is DAU/MAU by day over 28d"),
  }),
  isModelled: (asked, range) =>
    asked.rolling === undefined ? canUseBits(asked, range) : canUseBitsFor(asked, range, asked.rolling),
  ask: async (tx, asked, range) => {
    if (asked.rolling !== undefined) return await askRolling(tx, asked, range, asked.rolling);
    const isModelled = canUseBits(asked, range);
    const buckets = await cutBuckets(tx, asked, isModelled ? await asCounted(tx, range) : range);
    if (buckets === undefined) return [];
    const sets = isModelled ? activeSets(tx, asked, range, buckets) : undefined;
    const counted =
      sets === undefined
        ? tx`
          select place, count(*)::float8 as active_users
          from (${activePeople(tx, asked, range, buckets)}) as people
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
