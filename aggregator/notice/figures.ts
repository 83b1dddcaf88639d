// The figures of a UTC day by hour and as a whole, as the stable views have them, and a sum to tell them apart by.
import { createHash } from "node:crypto";
import type { TransactionSql } from "postgres";
import type { StaleDay } from "../model/model.ts";

/** What is told of a period. Money is decimal text, and durations are rounded to milliseconds. */
export interface Figures {
  active_users: number;
  sessions: number;
  events: number;
  revenue_usd: string;
  avg_session_duration_sec: number | null;
}

/** A row of daily_metrics. */
export interface DayRow extends Figures {
  app_version: string | null;
  country: string | null;
}

/** Rows of a day's notice: some 100 KB; a day of more has those with the most events. */
export const dayRowsMax = 500;

/** Where nothing is left of what was told before. */
export const noFigures: Figures = {
  active_users: 0,
  sessions: 0,
  events: 0,
  revenue_usd: "0",
  avg_session_duration_sec: null,
};

/**
 * The day's figures by the first moment of each hour, or of the day itself, in epoch ms: those of
 * hourly_metrics, read by the bounds that its tables have an index for. A period without events is left out.
 */
export async function readFigures(
  tx: TransactionSql,
  { project, day, from, to }: StaleDay,
  period: "hour" | "day",
): Promise<Map<number, Figures>> {
  const width = `1 ${period}`;
  const rows = await tx<(Figures & { at: number })[]>`
    select
      (extract(epoch from bucket) * 1000)::float8 as at,
      sum(active_users)::float8 as active_users,
      sum(sessions)::float8 as sessions,
      sum(events)::float8 as events,
      trim_scale(coalesce(sum(revenue_usd), 0))::text as revenue_usd,
      round(sum(lasted_sec) / nullif(sum(sessions), 0), 3)::float8 as avg_session_duration_sec
    from (
      select
        date_bin(${width}::interval, quarter, 'epoch') as bucket,
        0 as active_users,
        0 as sessions,
        events,
        case when currency = 'USD' then revenue else 0 end as revenue_usd,
        0::numeric as lasted_sec
      from quarter_counts
      where project_id = ${project} and quarter >= ${from} and quarter < ${to}
      union all
      select bucket, bit_count(bits), 0, 0, 0, 0
      from (
        select date_bin(${width}::interval, bucket, 'epoch') as bucket, block, bit_or(bits) as bits
        from active_bits
        where project_id = ${project} and grain = 'half_hour' and type = ''
          and bucket >= ${from} and bucket < ${to}
        group by 1, 2
      ) as present
      union all
      select date_bin(${width}::interval, started_at, 'epoch'), 0, 1, 0, 0, round(duration_sec::numeric, 6)
      from sessions
      where project_id = ${project} and date = ${day}
    ) as counted
    group by bucket`;
  return new Map(rows.map(({ at, ...figures }) => [at, figures]));
}

/** The day's rows of daily_metrics, those with the most events first, and how many are left off. */
export async function readDayRows(
  tx: TransactionSql,
  { project, day }: StaleDay,
): Promise<{ rows: DayRow[]; leftOff: number }> {
  // Sums of the view's averages are whole milliseconds, whichever way they were added up.
  const rows = await tx<(DayRow & { all: number })[]>`
    select app_version, country,
      active_users::float8,
      sessions::float8,
      events::float8,
      trim_scale(coalesce(revenue_usd, 0))::text as revenue_usd,
      round(round((avg_session_duration_sec * sessions)::numeric, 3) / nullif(sessions, 0), 3)::float8
        as avg_session_duration_sec,
      count(*) over ()::float8 as all
    from daily_metrics
    where project_id = ${project} and date = ${day}
    order by events desc, app_version collate "C", country collate "C"
    limit ${dayRowsMax}`;
  return {
    rows: rows.map(({ all: _, ...row }) => row),
    leftOff: (rows[0]?.all ?? 0) - rows.length,
  };
}

/** 16 bytes that are the same for the same figures, named in the same order. */
export function checksumOf(figures: unknown): Buffer {
  return createHash("sha256").update(JSON.stringify(figures)).digest().subarray(0, 16);
}
