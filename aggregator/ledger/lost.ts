// What is missed: records that a collector numbered and nobody has, and records that were kept apart.
import type { TransactionSql } from "postgres";
import { entryName, type Found } from "./entries.ts";
import type { SeenReceipt } from "./in-flight.ts";

interface Run {
  lost: number;
  is_silent: boolean;
  collector: string;
  start: string;
  started_at: Date;
}

/**
 * Each run of a collector numbers its records. Below the lowest number it ever called open, every one was
 * seen somewhere or given up; what is neither is lost. A run without a spool is over with its process, for
 * it acknowledged nothing outside the log; one with a spool is over once it says so or the next run of the
 * same name goes on, and is unaccounted for when neither came within `silentDays` of its last record.
 * `waiting` are the receipts of log and spools.
 */
export async function missedReceipts(
  tx: TransactionSql,
  waiting: readonly SeenReceipt[],
  silentDays: number,
): Promise<Found[]> {
  const runs = await tx<Run[]>`
    with told as (
      select collector, collector_start as start, collector_number as number,
        collector_lowest_open as lowest_open, collector_given_up as given_up, collector_spool as spool,
        stored_at as heard_at
      from ledger
      union all
      select collector, collector_start, collector_number, collector_lowest_open, collector_given_up, 0, noted_at
      from ledger_retransmissions
      union all
      select collector, collector_start, collector_number, 0, null, 0, quarantined_at
      from quarantined_records
      where collector is not null
      union all
      select collector, start, number, lowest_open, given_up, spool, now()
      from jsonb_to_recordset(${tx.json(waiting as never)}) as r(
        collector text, start bigint, number bigint, lowest_open bigint, given_up bigint[], spool smallint
      )
    ),
    heard as (
      select collector, start, lowest_open, spool, heard_at from told
      union all
      select collector, collector_start, lowest_open, collector_spool, heard_at from collector_runs
    ),
    known as (
      select collector, start, range_agg(int8range(number, number + 1)) as numbers
      from (
        select collector, start, number from told
        union all
        select collector, start, unnest(given_up) from told where given_up is not null
      ) single
      group by collector, start
    ),
    runs as (
      select collector, start, max(lowest_open) as lowest_open, max(spool) as spool, max(heard_at) as heard_at,
        start = max(start) over (partition by collector) as is_newest
      from heard
      group by collector, start
    )
    select *
    from (
      select r.collector, r.start::text as start, to_timestamp(r.start / 1000.0) as started_at,
        (r.lowest_open - (
          select coalesce(sum(upper(n) - lower(n)), 0)
          from unnest(
            (coalesce(k.numbers, '{}') + coalesce(f.numbers, '{}')) * int8multirange(int8range(0, r.lowest_open))
          ) n
        ))::float8 as lost,
        r.spool = 1 and r.is_newest and r.heard_at < now() - make_interval(days => ${silentDays}) as is_silent
      from runs r
      left join known k on k.collector = r.collector and k.start = r.start
      left join collector_runs f on f.collector = r.collector and f.collector_start = r.start
    ) counted
    where lost > 0 or is_silent`;
  return runs.flatMap((run) => [
    ...(run.lost > 0 ? [foundOf(run, "numbers", run.lost)] : []),
    ...(run.is_silent ? [foundOf(run, "silent", 0)] : []),
  ]);
}

function foundOf({ collector, start, started_at }: Run, kind: "numbers" | "silent", records: number): Found {
  const run = `collector ${collector}, started ${started_at.toISOString()},`;
  const what =
    kind === "numbers"
      ? `${run} numbered ${records} records that are nowhere`
      : `${run} had a spool and has neither closed it nor come back`;
  return { entry: entryName(kind, collector, start), kind, what, records };
}

/** Records that were written past and kept whole, and that nobody has discarded. */
export async function keptRecords(
  tx: TransactionSql,
): Promise<{ unreadable: number; reused: number; tooOld: number }> {
  const [row] = await tx<[{ unreadable: number; reused: number; tooOld: number }]>`
    select
      count(*) filter (where reason = 'record_unreadable')::int as unreadable,
      count(*) filter (where reason = 'batch_id_reused')::int as reused,
      count(*) filter (where reason = 'batch_too_old')::int as "tooOld"
    from quarantined_records
    where discarded_at is null`;
  return row;
}
