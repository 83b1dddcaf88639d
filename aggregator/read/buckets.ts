// The buckets of a span: their first moments are worked out once, so that an event is placed by comparing.
import type { TransactionSql } from "postgres";
import { firstMoment, type Range } from "./range.ts";
import type { Fragment } from "./within.ts";

export interface BucketsAsked {
  interval: "day" | "week" | "month";
  tz: string;
}

/** Pieces of a statement: where an event lies, and what that place is called once rows are grouped. */
export interface Buckets {
  /** Over `event_time`, a number from 1. */
  place: Fragment;
  /** Over a column `place`, the bucket's first day as text. */
  name: Fragment;
  /** How many there are; the last is at this place. */
  count: number;
  /** What every bucket begins on a multiple of, counted from 1970 in UTC, if it does. */
  grain: "day" | "half_hour" | undefined;
}

export interface CutBuckets extends Buckets {
  /** Where the first one begins, epoch ms. */
  first: number;
}

interface CutRow {
  starts: string;
  names: string;
  count: number;
  first: number;
  on_days: boolean;
  on_half_hours: boolean;
}

/**
 * Cuts what is stored of the span into days, weeks or months of the time zone; undefined where nothing
 * is. Turning each event's time into local time instead costs thrice the reading of the events itself.
 */
export async function cutBuckets(
  tx: TransactionSql,
  asked: BucketsAsked,
  range: Range,
): Promise<CutBuckets | undefined> {
  if (range.stored === undefined) return undefined;
  const from = Math.max(range.from, range.stored.first);
  const to = Math.min(range.to - 1, range.stored.last);
  if (from > to) return undefined;
  const [row] = await tx<CutRow[]>`
    with starts as (
      select day, ${firstMoment(tx, tx`day`, asked.tz)} as moment
      from generate_series(
        date_trunc(${asked.interval}, to_timestamp(${from}::float8 / 1000) at time zone ${asked.tz}),
        to_timestamp(${to}::float8 / 1000) at time zone ${asked.tz},
        ${`1 ${asked.interval}`}::interval
      ) as day
    )
    select array_agg(moment order by day)::text as starts,
      array_agg(to_char(day, 'YYYY-MM-DD') order by day)::text as names,
      count(*)::int as count,
      (extract(epoch from min(moment)) * 1000)::float8 as first,
      bool_and(mod(extract(epoch from moment), 86400) = 0) as on_days,
      bool_and(mod(extract(epoch from moment), 1800) = 0) as on_half_hours
    from starts`;
  return {
    // A parameter of the array's own type is read once; a cast from text would be done for every event.
    place: tx`width_bucket(event_time, ${row!.starts}::timestamptz[])`,
    name: tx`(${row!.names}::text[])[place]`,
    count: row!.count,
    first: row!.first,
    grain: row!.on_days ? "day" : row!.on_half_hours ? "half_hour" : undefined,
  };
}
