// How many events of each type, or of whatever else they say, there were in each bucket.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { behindBucket, cursorOf, pageLimit, rowsWanted } from "./cursor.ts";
import { type CountedEvents, countedEvents } from "./events-counted.ts";
import { canModel } from "./modelled.ts";
import { bucket, eventParameters, identifier, interval } from "./parameters.ts";
import { defineQuestion } from "./question.ts";
import type { Range } from "./range.ts";
import { property, said, valueColumn } from "./said.ts";
import { type EventsAsked, withinUsers } from "./within.ts";

interface SaidAsked extends EventsAsked {
  by: (typeof said)[number];
  property?: string | undefined;
  tz: string;
}

export const events = defineQuestion({
  name: "events",
  summary: "Events per bucket and type, or whatever else they say",
  parameters: z.strictObject({
    ...eventParameters,
    interval,
    by: z.enum(said).default("type").describe("What a bucket is split by"),
    property,
    limit: pageLimit,
    cursor: cursorOf(z.tuple([bucket, z.union([identifier, z.literal("")]).nullable()])),
  }),
  row: z.object({
    bucket,
    type: z.string().optional().describe("by=type"),
    value: z.string().nullable().optional().describe("Any other by; null where events did not say"),
    events: z.int().min(1),
  }),
  placeOf: (row) => [String(row["bucket"]), (row["type"] ?? row["value"] ?? null) as string | null],
  isModelled: (asked, range) => asked.by === "type" && canModel(asked, range),
  ask: async (tx, asked, range) => {
    const { rows, count, range: counted } = await rowsOf(tx, asked, behindBucket(range, asked.cursor));
    const buckets = await cutBuckets(tx, asked, counted);
    if (buckets === undefined) return [];
    const column = tx(asked.by === "type" ? "type" : "value");
    const [day, last] = asked.cursor ?? [];
    const { name } = buckets;
    // Those that said nothing come last in their bucket.
    const isBehind = last === null ? tx`false` : tx`(${column} > ${last ?? ""} or ${column} is null)`;
    return tx`
      select ${name} as bucket, ${column}, events
      from (
        select ${buckets.place} as place, ${column}, ${count}::float8 as events
        from (${rows}) as events
        group by 1, 2
      ) as counted
      ${day === undefined ? tx`` : tx`where ${name} > ${day} or (${name} = ${day} and ${isBehind})`}
      order by place, ${column}
      limit ${rowsWanted(asked)}`;
  },
});

/** The rows to be counted: only types are in the model. */
async function rowsOf(
  tx: TransactionSql,
  asked: SaidAsked,
  range: Range,
): Promise<Pick<CountedEvents, "rows" | "count" | "range">> {
  const value = valueColumn(tx, asked);
  if (asked.by === "type") return await countedEvents(tx, asked, range);
  const rows = tx`select event_time, ${value} as value from events where ${withinUsers(tx, asked, range)}`;
  return { rows, count: tx`count(*)`, range };
}
