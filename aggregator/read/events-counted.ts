// Events and their money, to be counted: from the read model where it can answer, else from the events.
import type { TransactionSql } from "postgres";
import { canModel, quarterMs } from "./modelled.ts";
import type { Range } from "./range.ts";
import { type EventsAsked, type Fragment, withinUsers } from "./within.ts";

/** A relation with `event_time`, `type`, `currency` and `revenue`, and what is asked of groups of its rows. */
export interface CountedEvents {
  rows: Fragment;
  /** How many events a group holds. */
  count: Fragment;
  /** Whether a row has brought or taken money. */
  hasRevenue: Fragment;
  /** The range, its `stored` being what these rows cover. */
  range: Range;
}

export async function countedEvents(
  tx: TransactionSql,
  asked: EventsAsked & { tz: string },
  range: Range,
): Promise<CountedEvents> {
  if (!canModel(asked, range)) {
    return {
      rows: tx`select event_time, type, currency, revenue from events where ${withinUsers(tx, asked, range)}`,
      count: tx`count(*)`,
      hasRevenue: tx`revenue is not null`,
      range,
    };
  }
  return {
    rows: tx`
      select quarter as event_time, type, currency, revenue, events, revenue_events
      from quarter_counts
      where quarter >= to_timestamp(${range.from}::float8 / 1000)
        and quarter < to_timestamp(${range.to}::float8 / 1000)
        ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
        ${asked.types === undefined ? tx`` : tx`and type = any(${[...asked.types]}::text[])`}
        ${asked.users === "identified" ? tx`and is_identified` : tx``}`,
    count: tx`sum(events)`,
    hasRevenue: tx`revenue_events > 0`,
    range: await asCounted(tx, range),
  };
}

/** The range, its `stored` with what models alone hold: days of which events have expired stay in them. */
export async function asCounted(tx: TransactionSql, range: Range): Promise<Range> {
  const [row] = await tx<[{ first: Date | null; last: Date | null }]>`
    select min(quarter) as first, max(quarter) as last from quarter_counts`;
  const { first, last } = row;
  if (first === null || last === null) return range;
  const counted = { first: first.getTime(), last: last.getTime() + quarterMs - 1 };
  const { stored = counted } = range;
  return {
    ...range,
    stored: { first: Math.min(stored.first, counted.first), last: Math.max(stored.last, counted.last) },
  };
}
