// What is missed: records that a collector numbered and nobody has, and records that were kept apart.
import type { TransactionSql } from "postgres";
import type { LogIdentity } from "../../shared/log/log.ts";
import type { SeenReceipt } from "./in-flight.ts";

/** `lost` counts records; `unaccounted` says, a sentence each, where nobody can know how many. */
export interface Missed {
  lost: number;
  unaccounted: string[];
}

interface Run {
  lost: number;
  is_silent: boolean;
  collector: string;
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
): Promise<Missed> {
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
      select r.collector, to_timestamp(r.start / 1000.0) as started_at,
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
  return {
    lost: runs.reduce((sum, { lost }) => sum + lost, 0),
    unaccounted: runs.filter(({ is_silent }) => is_silent).map(silentText),
  };
}

const silentText = ({ collector, started_at }: Run): string =>
  `collector ${collector}, started ${started_at.toISOString()}, had a spool and has neither closed it nor come back`;

/** Records that were written past and that nobody has discarded, and offsets that the log no longer had. */
export async function keptRecords(
  tx: TransactionSql,
  log: LogIdentity,
): Promise<{ unreadable: number; reused: number; holes: number }> {
  const [row] = await tx<[{ unreadable: number; reused: number; holes: number }]>`
    select
      count(*) filter (where reason = 'record_unreadable' and discarded_at is null)::int as unreadable,
      count(*) filter (where reason = 'batch_id_reused' and discarded_at is null)::int as reused,
      (
        select coalesce(sum(from_offset - to_offset), 0) from log_rewinds where log_id = ${log.id}
      )::float8 + (
        select coalesce(sum(to_offset - from_offset), 0) from log_holes where log_id = ${log.id}
      )::float8 as holes
    from quarantined_records`;
  return row;
}
