// What events, people and money there were, by something that events say: the largest groups first.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { canModel } from "./modelled.ts";
import { eventParameters } from "./parameters.ts";
import { defineQuestion } from "./question.ts";
import type { Range } from "./range.ts";
import { property, said, valueColumn } from "./said.ts";
import { type EventsAsked, type Fragment, withinUsers } from "./within.ts";

const segmentsMax = 1_000;
const segmentsDefault = 100;
const dayMs = 86_400_000;

export const segments = defineQuestion({
  name: "segments",
  summary: "Events, people and revenue by what events say, the largest segments first",
  parameters: z.strictObject({
    ...eventParameters,
    by: z.enum(said).default("country").describe("What a segment has in common"),
    property,
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
  isModelled: canUseDays,
  ask: async (tx, asked, range) => {
    const people = canUseDays(asked, range)
      ? peopleOfDays(tx, asked, range)
      : peopleOfEvents(tx, asked, range);
    const rows = await tx<Row[]>`
      select value, sum(events)::float8 as events, count(person)::float8 as active_users,
        coalesce(sum(revenue), 0)::text as revenue_usd
      from (${people}) as people
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

interface SegmentsAsked extends EventsAsked {
  by: (typeof said)[number];
  property?: string | undefined;
  tz: string;
}

/** Whether the model knows the answer: it has whole UTC days, countries and versions, and no types. */
function canUseDays(asked: SegmentsAsked, range: Range): boolean {
  const isKnown = (asked.by === "country" || asked.by === "app_version") && asked.property === undefined;
  const isOnDays = range.from % dayMs === 0 && range.to % dayMs === 0;
  return isKnown && isOnDays && asked.types === undefined && canModel(asked, range);
}

function peopleOfDays(tx: TransactionSql, asked: SegmentsAsked, { from, to }: Range): Fragment {
  return tx`
    select ${tx(asked.by)} collate "C" as value, project_id, number as person, sum(events) as events,
      sum(revenue) filter (where currency = 'USD') as revenue
    from person_days
    where day >= ${dateOf(tx, from)} and day < ${dateOf(tx, to)}
      ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
      ${asked.users === "identified" ? tx`and is_identified` : tx``}
    group by 1, 2, 3`;
}

// Grouping twice hashes each person once; count(distinct) would sort every event.
function peopleOfEvents(tx: TransactionSql, asked: SegmentsAsked, range: Range): Fragment {
  return tx`
    select ${valueColumn(tx, asked)} as value, project_id, ${personColumn(tx, asked)} as person,
      count(*) as events, sum(revenue) filter (where currency = 'USD') as revenue
    from events
    ${asked.users === "linked" ? tx`left join user_links using (project_id, anonymous_id)` : tx``}
    where ${withinUsers(tx, asked, range)}
    group by 1, 2, 3`;
}

// By the store's calendar, which goes on behind the year 9999.
const dateOf = (tx: TransactionSql, ms: number): Fragment =>
  tx`(to_timestamp(${ms}::float8 / 1000) at time zone 'UTC')::date`;

function personColumn(tx: TransactionSql, { users }: EventsAsked): Fragment {
  if (users === "linked") return tx`coalesce(events.user_id, user_links.user_id, anonymous_id)`;
  return users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`;
}
