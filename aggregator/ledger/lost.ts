// What is missed: records that a collector numbered and nobody has, and records that were kept apart.
import type { TransactionSql } from "postgres";
import type { LogIdentity } from "../../shared/log/log.ts";
import type { SeenReceipt } from "./in-flight.ts";

/**
 * Each run of a collector numbers its records. Below the lowest number it ever called open, every one was
 * seen somewhere or given up; what is neither is lost. `waiting` are the receipts of log and spools.
 */
export async function lostReceipts(tx: TransactionSql, waiting: readonly SeenReceipt[]): Promise<number> {
  const [row] = await tx`
    with told as (
      select collector, collector_start as start, collector_number as number,
        collector_lowest_open as lowest_open, collector_given_up as given_up
      from ledger
      union all
      select collector, collector_start, collector_number, collector_lowest_open, collector_given_up
      from ledger_retransmissions
      union all
      select collector, collector_start, collector_number, 0, null
      from quarantined_records
      where collector is not null
      union all
      select collector, start, number, lowest_open, given_up
      from jsonb_to_recordset(${tx.json(waiting as never)}) as r(
        collector text, start bigint, number bigint, lowest_open bigint, given_up bigint[]
      )
    ),
    runs as (
      select collector, start, max(lowest_open) as lowest_open
      from told
      group by collector, start
    ),
    known as (
      select collector, start, number from told
      union
      select collector, start, unnest(given_up) from told
    )
    select coalesce(sum(lowest_open - found), 0)::float8 as lost
    from (
      select r.lowest_open, count(k.number) as found
      from runs r
      left join known k on k.collector = r.collector and k.start = r.start and k.number < r.lowest_open
      group by r.collector, r.start, r.lowest_open
    ) counted`;
  return row?.["lost"] as number;
}

/** Records that were written past, and offsets that the log no longer had. */
export async function keptRecords(
  tx: TransactionSql,
  log: LogIdentity,
): Promise<{ unreadable: number; reused: number; holes: number }> {
  const [row] = await tx<[{ unreadable: number; reused: number; holes: number }]>`
    select
      count(*) filter (where reason = 'record_unreadable')::int as unreadable,
      count(*) filter (where reason = 'batch_id_reused')::int as reused,
      (select coalesce(sum(to_offset - from_offset), 0) from log_holes where log_id = ${log.id})::float8 as holes
    from quarantined_records`;
  return row;
}
