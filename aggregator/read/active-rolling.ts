// Distinct people of the last days up to each bucket's end, and how many of them the bucket itself saw.
import type { TransactionSql } from "postgres";
import { type ActiveAsked, activeSets, canUseBits } from "./active-modelled.ts";
import { activePeople } from "./active-raw.ts";
import { type BucketsAsked, cutBuckets } from "./buckets.ts";
import { asCounted } from "./events-counted.ts";
import { type AnswerRow, rowLimit } from "./question.ts";
import type { Range } from "./range.ts";
import type { Fragment } from "./within.ts";

export type RollingAsked = ActiveAsked & BucketsAsked;

const dayMs = 86_400_000;

/** Whether the bits can answer: as for a span that begins the days earlier, on whichever midnight. */
export function canUseBitsFor(asked: ActiveAsked, range: Range, days: number): boolean {
  const from = (Math.floor(range.from / dayMs) - days - 1) * dayMs;
  return canUseBits(asked, { ...range, from });
}

/**
 * Rows (bucket, active_users, bucket_users, stickiness) in the order of the buckets. Days are those of the time
 * zone; a bucket that the span begins or ends in has the days that are in the span. There are buckets as long as
 * somebody was there in the last days, but none that is yet to come.
 */
export async function askRolling(
  tx: TransactionSql,
  asked: RollingAsked,
  opened: Range,
  days: number,
): Promise<AnswerRow[]> {
  const isModelled = canUseBitsFor(asked, opened, days);
  const range = isModelled ? await asCounted(tx, opened) : opened;
  if (range.stored === undefined) return [];
  const { last } = range.stored;
  const end = Math.min(range.to, last + (days + 1) * dayMs, Math.max(range.asOf, last) + 1);
  if (range.from >= end) return [];
  const { firstDay, readFrom } = await findFirst(tx, asked, range.from, days);
  const read = { ...range, from: Math.min(readFrom, end - 1), stored: { ...range.stored, last: end - 1 } };
  const daily = await cutBuckets(tx, { ...asked, interval: "day" }, read);
  if (daily === undefined) return [];
  const span = { ...range, from: daily.first };
  const sets = isModelled ? activeSets(tx, asked, span, daily) : undefined;
  const counted =
    sets === undefined ? ofPeople(tx, activePeople(tx, asked, span, daily), days) : ofSets(tx, sets, days);
  return tx`
    with named as (
      select place, ${daily.name} as name from generate_series(1, ${daily.count}::int) as place
    ),
    spans as materialized (
      select to_char(date_trunc(${asked.interval}, name::date), 'YYYY-MM-DD') as bucket,
        greatest(min(place), max(place) - ${days}::int + 1) as first, max(place) as last
      from named
      where name >= ${firstDay}
      group by 1
    ),
    ${counted}
    select bucket, active_users::float8 as active_users, bucket_users::float8 as bucket_users,
      round(bucket_users::numeric / active_users, 4)::float8 as stickiness
    from counted
    where active_users > 0
    order by bucket
    limit ${rowLimit}`;
}

// The day the span begins in, and a moment of the day from which on its window reaches: noon is no day's end.
async function findFirst(
  tx: TransactionSql,
  { tz }: Pick<RollingAsked, "tz">,
  from: number,
  days: number,
): Promise<{ firstDay: string; readFrom: number }> {
  const [row] = await tx<[{ day: string; ms: number }]>`
    select to_char(day, 'YYYY-MM-DD') as day,
      (extract(epoch from (day - ${days}::int + 1 + time '12:00') at time zone ${tz}) * 1000)::float8 as ms
    from (select (to_timestamp(${from}::float8 / 1000) at time zone ${tz})::date as day) as days`;
  return { firstDay: row.day, readFrom: row.ms };
}

const ofSets = (tx: TransactionSql, sets: Fragment, days: number): Fragment => tx`
  sets as materialized (${sets}),
  counted as (
    select bucket, sum(bit_count(recent)) as active_users, coalesce(sum(bit_count(own)), 0) as bucket_users
    from (
      select bucket, project_id, block, bit_or(bits) as recent, bit_or(bits) filter (where place >= first) as own
      from spans
      join sets on place between last - ${days}::int + 1 and last
      group by bucket, project_id, block
    ) as blocks
    group by bucket
  )`;

// A person is one more from each of their days on, and one less when the days are over or their next day comes: so
// each day of theirs is looked at once, however many buckets it is in.
const ofPeople = (tx: TransactionSql, active: Fragment, days: number): Fragment => tx`
  active as materialized (
    select place, lag(place) over own as before,
      least(place + ${days}::int, lead(place) over own) as until
    from (${active}) as people
    where person is not null
    window own as (partition by project_id, person order by place)
  ),
  changes as materialized (
    select place, sum(change) as change
    from (
      select place, 1 as change from active
      union all
      select until, -1 from active
    ) as single
    group by place
  ),
  own as (
    select bucket, count(*) as bucket_users
    from active
    join spans on place between first and last
    where coalesce(before, 0) < first
    group by bucket
  ),
  counted as (
    select bucket, coalesce(bucket_users, 0) as bucket_users,
      (select coalesce(sum(change), 0) from changes where place <= last) as active_users
    from spans
    left join own using (bucket)
  )`;
