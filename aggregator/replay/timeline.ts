// In which order the live store wrote a log's records: what it stored first of two copies, a replay must too.
import type { TransactionSql } from "postgres";
import type { LogIdentity } from "../../shared/log/log.ts";

/** Records of one partition that one transaction wrote; `to` is not among them. */
export interface Run {
  from: bigint;
  to: bigint;
  /** When the transaction began, epoch µs: the same for all rows it wrote. */
  time: bigint;
  events: number;
  /** Some event had a copy, so it matters what came before it. */
  hasCopies: boolean;
}

/** By partition, the runs in the order of their offsets. One entry a transaction is held, never one a record. */
export type Timeline = ReadonlyMap<number, readonly Run[]>;

export async function readTimeline(live: TransactionSql, log: LogIdentity): Promise<Timeline> {
  const timeline = new Map<number, Run[]>();
  const rows = live`
    select partition, log_offset, (extract(epoch from written_at) * 1000000)::bigint as time, events, has_copies
    from (
      select
        partition, log_offset, stored_at as written_at, received as events,
        duplicate_stored + conflict + unwritable + refused > 0 as has_copies
      from ledger
      where log_id = ${log.id}
      union all
      select partition, log_offset, noted_at, 0, false
      from ledger_retransmissions
      where log_id = ${log.id}
      union all
      select partition, log_offset, quarantined_at, 0, false
      from quarantined_records
      where log_id = ${log.id}
    ) written
    order by partition, log_offset`;
  for await (const batch of rows.cursor(5_000)) {
    for (const row of batch) {
      const partition = Number(row["partition"]);
      const runs = timeline.get(partition) ?? [];
      timeline.set(partition, runs);
      const [offset, time] = [BigInt(row["log_offset"]), BigInt(row["time"])];
      const last = runs.at(-1);
      const hasCopies = row["has_copies"] === true;
      if (last !== undefined && last.to === offset && last.time === time) {
        last.to = offset + 1n;
        last.events += Number(row["events"]);
        last.hasCopies ||= hasCopies;
      } else runs.push({ from: offset, to: offset + 1n, time, events: Number(row["events"]), hasCopies });
    }
  }
  return timeline;
}

/** The run that holds an offset. */
export function runAt(runs: readonly Run[], offset: bigint): Run | undefined {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const run = runs[middle]!;
    if (offset < run.from) high = middle - 1;
    else if (offset >= run.to) low = middle + 1;
    else return run;
  }
  return undefined;
}
