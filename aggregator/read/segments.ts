// What events, people and money there were, by something that events say: the largest groups first.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { WeirError } from "../../shared/problem.ts";
import { eventParameters, identifier } from "./parameters.ts";
import { defineQuestion } from "./question.ts";
import { type EventsAsked, type Fragment, withinUsers } from "./within.ts";

const segmentsMax = 1_000;
const segmentsDefault = 100;
/** Longer texts are cut: what is grouped by them is hardly meant as a group. */
const valueLengthMax = 256;

export const segments = defineQuestion({
  name: "segments",
  summary: "Events, people and revenue by what events say, the largest segments first",
  parameters: z.strictObject({
    ...eventParameters,
    by: z
      .enum(["type", "country", "city", "device", "app_version", "property"])
      .default("country")
      .describe("What a segment has in common"),
    property: identifier.optional().describe("With by=property: the name of a property of the payload"),
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(segmentsMax)
      .default(segmentsDefault)
      .describe("Segments at most"),
  }),
  row: z.object({
    value: z.string().nullable().describe("null where events did not say"),
    events: z.int().min(1),
    active_users: z.int().min(0).describe("Distinct people; one may be in several segments"),
    revenue_usd: z.number().describe("Sum of revenue in USD; no rate is applied to other currencies"),
  }),
  // Grouping twice hashes each person once; count(distinct) would sort every event.
  ask: async (tx, asked, range) => {
    const value = valueColumn(tx, asked);
    const rows = await tx<Row[]>`
      select value, sum(events)::float8 as events, count(person)::float8 as active_users,
        coalesce(sum(revenue), 0)::text as revenue_usd
      from (
        select ${value} as value, project_id, ${personColumn(tx, asked)} as person, count(*) as events,
          sum(revenue) filter (where currency = 'USD') as revenue
        from events
        ${asked.users === "linked" ? tx`left join user_links using (project_id, anonymous_id)` : tx``}
        where ${withinUsers(tx, asked, range)}
        group by 1, 2, 3
      ) as people
      group by value
      order by events desc, value
      limit ${asked.limit}`;
    return rows.map((row) => ({ ...row, revenue_usd: Number(row.revenue_usd) }));
  },
});

interface Row {
  value: string | null;
  events: number;
  active_users: number;
  revenue_usd: string;
}

function valueColumn(
  tx: TransactionSql,
  { by, property }: { by: string; property?: string | undefined },
): Fragment {
  if ((by === "property") !== (property !== undefined)) {
    throw new WeirError("invalid_query", "property: goes with by=property, and names what is grouped by");
  }
  if (property === undefined) return tx`${tx(by)} collate "C"`;
  return tx`left(payload ->> ${property}, ${valueLengthMax}::int) collate "C"`;
}

function personColumn(tx: TransactionSql, { users }: EventsAsked): Fragment {
  if (users === "linked") return tx`coalesce(events.user_id, user_links.user_id, anonymous_id)`;
  return users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`;
}
