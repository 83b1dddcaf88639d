// The fence: who may write a partition, and from which offset on, held in the store itself.
import type { Sql, TransactionSql } from "postgres";
import type { LogIdentity } from "../shared/log/log.ts";

/** From where to where one transaction takes a partition; `to` is the next offset afterwards. */
export interface Span {
  partition: number;
  from: bigint;
  to: bigint;
  /** The mark of the record before `to`, where it is known: see `markOf`. */
  last?: string | undefined;
}

/** A partition as it stands in the store. */
export interface Position {
  nextOffset: bigint;
  epoch: bigint;
  /** The mark of the record before it; undefined where nothing was read up to there. */
  last: string | undefined;
}

/** Partitions that belong to another process now: what was to be written for them is that one's to write. */
export class FencedError extends Error {
  readonly code = "fenced";
  readonly partitions: readonly number[];
  constructor(partitions: readonly number[]) {
    super(`partitions ${partitions.join(", ")} belong to another writer now`);
    this.name = "FencedError";
    this.partitions = partitions;
  }
}

/** Offsets that do not follow on: the log has a hole, or its reader passed over something. */
export class OffsetError extends Error {
  readonly code = "offset_mismatch";
  readonly partition: number;
  readonly expected: bigint;
  readonly found: bigint;
  constructor(partition: number, expected: bigint, found: bigint) {
    super(`partition ${partition} is written up to ${expected}, but ${found} came next`);
    this.name = "OffsetError";
    this.partition = partition;
    this.expected = expected;
    this.found = found;
  }
}

/**
 * Takes partitions for this session. The previous owner's session is ended first, for no timeout of the
 * server reaches a client that was stopped in the middle of a COPY; a session is known by its process id
 * and start, since ids come again. A log never seen before begins at 0.
 */
export async function takePartitions(
  session: Sql,
  log: LogIdentity,
  partitions: readonly number[],
): Promise<Map<number, Position>> {
  const wanted = [...partitions].sort((left, right) => left - right);
  // Rows that are there are left out: a conflict with one would wait for whoever has it locked.
  await session`
    insert into log_positions (log_id, topic, partition)
    select ${log.id}, ${log.topic}, p
    from unnest(${wanted}::int[]) as p
    where not exists (
      select 1 from log_positions where log_id = ${log.id} and topic = ${log.topic} and partition = p
    )
    order by p
    on conflict do nothing`;
  await session`
    select pg_terminate_backend(a.pid)
    from log_positions p
    join pg_stat_activity a on a.pid = p.owner_pid and a.backend_start = p.owner_started_at
    where p.log_id = ${log.id} and p.topic = ${log.topic} and p.partition = any(${wanted}::int[])
      and a.pid <> pg_backend_pid() and a.datname = current_database()`;
  const rows = await session`
    with mine as (
      select partition
      from log_positions
      where log_id = ${log.id} and topic = ${log.topic} and partition = any(${wanted}::int[])
      order by partition
      for update
    )
    update log_positions p
    set
      epoch = p.epoch + 1,
      owner_pid = pg_backend_pid(),
      owner_started_at = (select backend_start from pg_stat_get_activity(pg_backend_pid())),
      updated_at = now()
    from mine
    where p.log_id = ${log.id} and p.topic = ${log.topic} and p.partition = mine.partition
    returning p.partition, p.next_offset, p.epoch, p.last_record`;
  return new Map(rows.map((row) => [Number(row["partition"]), positionOf(row)]));
}

/**
 * The first statement of every transaction: moves all the partitions on, if they still stand where this
 * writer left them and are still its own. Answers the partitions moved; fewer than asked is no licence
 * to go on. The session's name goes along, for it is another one after a lost connection.
 */
export async function advance(
  tx: TransactionSql,
  log: LogIdentity,
  spans: readonly Span[],
  epochs: ReadonlyMap<number, bigint>,
): Promise<number[]> {
  const moves = spans.map(({ partition, from, to, last }) => ({
    partition,
    from_offset: String(from),
    to_offset: String(to),
    epoch: String(epochs.get(partition) ?? -1n),
    last_record: last ?? null,
  }));
  const rows = await tx`
    update log_positions p
    set
      next_offset = m.to_offset,
      last_record = m.last_record,
      owner_pid = pg_backend_pid(),
      owner_started_at = (select backend_start from pg_stat_get_activity(pg_backend_pid())),
      updated_at = now()
    from jsonb_to_recordset(${tx.json(moves)}) as m(
      partition int, from_offset bigint, to_offset bigint, epoch bigint, last_record text
    )
    where p.log_id = ${log.id} and p.topic = ${log.topic} and p.partition = m.partition
      and p.next_offset = m.from_offset and p.epoch = m.epoch
    returning p.partition`;
  return rows.map((row) => Number(row["partition"]));
}

/** How the partitions of a log stand now. */
export async function readPositions(
  sql: Sql | TransactionSql,
  log: LogIdentity,
): Promise<Map<number, Position>> {
  const rows = await sql`
    select partition, next_offset, epoch, last_record
    from log_positions
    where log_id = ${log.id} and topic = ${log.topic}`;
  return new Map(rows.map((row) => [Number(row["partition"]), positionOf(row)]));
}

const positionOf = (row: Record<string, unknown>): Position => ({
  nextOffset: BigInt(String(row["next_offset"])),
  epoch: BigInt(String(row["epoch"])),
  last: (row["last_record"] as string | null) ?? undefined,
});
