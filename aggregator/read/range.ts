// The span of time a question is about: bounds resolved in its time zone, by the store's own calendar.
import type { TransactionSql } from "postgres";
import { queryStatementMs } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Bound } from "./parameters.ts";
import type { Fragment } from "./within.ts";

/** Epoch ms; `to` is exclusive. `asOf` is the time of the snapshot. */
export interface Range {
  from: number;
  to: number;
  asOf: number;
  /** event_time of the first and the last stored event of all; undefined in an empty store. */
  stored: { first: number; last: number } | undefined;
}

/** What of a question decides its span. */
export interface RangeAsked {
  from?: Bound | undefined;
  to?: Bound | undefined;
  tz: string;
}

/** Days of a question that names no `from`, today included. */
const defaultDays = 30;

/**
 * The transaction's first statement: bounds what follows and resolves the span. Days begin where the
 * time zone says, 23 or 25 hours apart where clocks change. Without `to` the span ends with today;
 * without `from` it holds 30 days. Rejects with `invalid_query` where nothing lies between.
 */
export async function openRange(tx: TransactionSql, asked: RangeAsked): Promise<Range> {
  const [from, to] = [split(asked.from), split(asked.to)];
  // Spilling a distinct count to disk costs more than the memory; compiling costs more than it saves.
  const [row] = await tx<{ from_ms: string; to_ms: string; as_of_ms: string }[]>`
    with bounded as materialized (
      select set_config('statement_timeout', ${String(queryStatementMs)}, true),
        set_config('work_mem', '64MB', true),
        set_config('jit', 'off', true)
    ),
    behind as (
      select (coalesce(${to.day}::date, (now() at time zone ${asked.tz})::date) + 1)::timestamp as day from bounded
    ),
    upper as (
      select coalesce(
        to_timestamp(${to.ms}::double precision / 1000),
        ${firstMoment(tx, tx`day`, asked.tz)}
      ) as moment
      from behind
    ),
    spanned as (
      select moment,
        coalesce(${from.day}::date::timestamp, (moment at time zone ${asked.tz}) - make_interval(days => ${defaultDays})) as day
      from upper
    )
    select extract(epoch from moment) * 1000 as to_ms,
      extract(epoch from now()) * 1000 as as_of_ms,
      extract(epoch from coalesce(
        to_timestamp(${from.ms}::double precision / 1000),
        ${firstMoment(tx, tx`day`, asked.tz)}
      )) * 1000 as from_ms
    from spanned`;
  const stored = await readStored(tx);
  const range = {
    stored,
    from: Math.round(Number(row!.from_ms)),
    to: Math.round(Number(row!.to_ms)),
    asOf: Math.floor(Number(row!.as_of_ms)),
  };
  if (range.from >= range.to) throw new WeirError("invalid_query", "from: must lie before to");
  return range;
}

/** Ids begin with their event's time, so the ends of the key's index are the ends of what is stored. */
export async function readStored(tx: TransactionSql): Promise<Range["stored"]> {
  const [row] = await tx<{ first: Date | null; last: Date | null }[]>`
    select (select event_time from events order by id limit 1) as first,
      (select event_time from events order by id desc limit 1) as last`;
  const { first, last } = row!;
  return first === null || last === null ? undefined : { first: first.getTime(), last: last.getTime() };
}

/**
 * When a local midnight is, or what comes first behind one that is skipped. Where a clock goes back over midnight,
 * midnight comes twice and PostgreSQL names the later one; the local time just before it, less midnight, is how much
 * earlier the day began. No zone has skipped past a midnight since 1970, where ids begin, but to a later time of the
 * same day, which is its first moment.
 */
export const firstMoment = (tx: TransactionSql, midnight: Fragment, tz: string): Fragment => tx`(
  (${midnight} at time zone ${tz}) - greatest(
    ((${midnight} at time zone ${tz}) - interval '1 microsecond') at time zone ${tz} + interval '1 microsecond'
      - ((${midnight} at time zone ${tz}) at time zone ${tz}),
    interval '0'
  )
)`;

function split(bound: Bound | undefined): { day: string | null; ms: number | null } {
  if (bound === undefined) return { day: null, ms: null };
  return "day" in bound ? { day: bound.day, ms: null } : { day: null, ms: bound.ms };
}
