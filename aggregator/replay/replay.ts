// Replays a log into a store: builds it anew beside the live one, or puts back into the live one what is missing.
import type { TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { noteAction } from "../audit.ts";
import type { Span } from "../fence.ts";
import { migrate } from "../store/migrate.ts";
import type { Store } from "../store/store.ts";
import { type ComparedTable, compareSums, sumTables } from "./checksum.ts";
import { rebuild } from "./rebuild.ts";
import { restoreRows } from "./restore.ts";
import { inSnapshot, ReplayError } from "./snapshot.ts";
import { copyQuarantineState, copyRecordState, copyState } from "./state.ts";
import { holdWriters, swapSchemas } from "./swap.ts";

export interface ReplayOptions {
  reader: LogReader;
  into: Store;
  /** The store of now: state and order are taken from it, and it is what the result is compared with. */
  live: Store | undefined;
  /** Whether `into` takes the place of `live` afterwards; `anyway` also where they differ. */
  swap: "no" | "equal" | "anyway";
  clock: Clock;
  /** Who asks for it. */
  actor: string;
  written(records: number): void;
}

/** What was done. Offsets are texts, since they may be beyond a double. */
export interface ReplayAnswer {
  /** All was there, and what was compared is equal. */
  ok: boolean;
  way: "rebuild" | "restore";
  records: number;
  restored: number;
  /** What the log holds no more; `to` is not among it. */
  missing: { partition: number; from: string; to: string }[];
  /** Undefined where there was nothing to compare with. */
  equal: boolean | undefined;
  tables: ComparedTable[];
  /** The name that the schema replaced bears now. */
  replaced: string | undefined;
}

/**
 * Into the live store itself, once it has written anything, rows are put back; into any other store that
 * is empty, or whose replay was not finished, everything is built anew. Rejects with `target_foreign`
 * where `into` was written by somebody else. Publishes nothing and alarms nothing.
 */
export async function replay(options: ReplayOptions): Promise<ReplayAnswer> {
  const { into, reader } = options;
  await migrate(into);
  const isLive = options.live !== undefined && (await isSame(options.live, into));
  const hasLive = options.live !== undefined && !isLive && (await isMigrated(options.live));
  const live = hasLive ? options.live : undefined;
  if (isLive && (await hasWritten(into))) return await restore(options);
  if (options.swap !== "no" && live === undefined) {
    throw new ReplayError("swap_refused", "there is no other store whose place could be taken");
  }
  const replayId = await beginRebuild(into, reader);
  const first = await (live === undefined
    ? build(options, undefined)
    : inSnapshot(live, (tx) => build(options, tx)));
  const answer = await (live !== undefined && options.swap !== "no" && isComplete(first)
    ? inSnapshot(live, (tx) => buildAndSwap(options, live.schema, tx, first), "read committed")
    : first);
  if (answer.replaced === undefined) {
    await into.sql`update replays set finished_at = now() where replay_id = ${replayId}`;
  }
  return answer;
}

async function restore({ into, reader, actor, written }: ReplayOptions): Promise<ReplayAnswer> {
  const replayId = await note(into, "restore", reader);
  const { records, restored, missing } = await restoreRows({ reader, into, replayId, written });
  await into.sql`update replays set finished_at = now() where replay_id = ${replayId}`;
  const outcome = `${restored} rows`;
  await noteAction(into.sql, { action: "restore", actor, target: `log ${reader.identity.id}`, outcome });
  const nothing = { equal: undefined, tables: [], replaced: undefined };
  return { ok: missing.length === 0, way: "restore", records, restored, missing: told(missing), ...nothing };
}

async function build(options: ReplayOptions, live: TransactionSql | undefined): Promise<ReplayAnswer> {
  const { into } = options;
  if (live !== undefined) await copyState(live, into);
  const { records, missing } = await rebuild({ ...options, live });
  if (live !== undefined) {
    await copyRecordState(live, into, options.reader.identity, options.clock);
    await copyQuarantineState(live, into);
  }
  const own = await inSnapshot(into, sumTables);
  const tables = compareSums(live === undefined ? own : await sumTables(live), own);
  const equal = live === undefined ? undefined : tables.every((table) => table.equal);
  return {
    ok: missing.length === 0 && equal !== false,
    way: "rebuild",
    records,
    restored: 0,
    missing: told(missing),
    equal,
    tables,
    replaced: undefined,
  };
}

// The writers wait while the last records are read and compared, so that none comes in between.
async function buildAndSwap(
  options: ReplayOptions,
  schema: string,
  live: TransactionSql,
  first: ReplayAnswer,
): Promise<ReplayAnswer> {
  await holdWriters(live);
  const last = await build(options, live);
  const answer = { ...last, records: first.records + last.records };
  if (!isComplete(last) || (last.equal !== true && options.swap !== "anyway")) return answer;
  return { ...answer, replaced: await swapSchemas(live, schema, options.into.schema, options.actor) };
}

const isComplete = ({ missing }: ReplayAnswer): boolean => missing.length === 0;

// A store that a replay began and nobody has taken over since may be gone on with.
async function beginRebuild(into: Store, { identity }: LogReader): Promise<string> {
  const [found] = await into.sql`
    select
      (select max(replay_id)::text from replays where way = 'rebuild' and log_id = ${identity.id}) as begun,
      exists (select 1 from ledger_counts) or exists (select 1 from events) as filled`;
  if (found?.["begun"] != null) return String(found["begun"]);
  if (found?.["filled"] === true) {
    throw new ReplayError("target_foreign", "the target has rows that no replay of this log has written");
  }
  return await note(into, "rebuild", { identity });
}

async function note(into: Store, way: string, { identity }: Pick<LogReader, "identity">): Promise<string> {
  const [row] = await into.sql`
    insert into replays (way, source, log_id)
    values (${way}, ${identity.topic}, ${identity.id})
    returning replay_id::text as id`;
  return String(row?.["id"]);
}

async function isSame(left: Store, right: Store): Promise<boolean> {
  const who = async (store: Store): Promise<string> => {
    const [row] = await store.sql`
      select concat(pg_postmaster_start_time(), '/', current_database(), '/', inet_server_port()) as name`;
    return `${row?.["name"]}/${store.schema}`;
  };
  return (await who(left)) === (await who(right));
}

async function isMigrated(store: Store): Promise<boolean> {
  const [row] = await store.sql`select to_regclass('log_positions') is not null as made`;
  return row?.["made"] === true;
}

async function hasWritten(store: Store): Promise<boolean> {
  const [row] = await store.sql`select exists (select 1 from ledger_counts) as filled`;
  return row?.["filled"] === true;
}

const told = (spans: readonly Span[]): ReplayAnswer["missing"] =>
  spans.map(({ partition, from, to }) => ({ partition, from: String(from), to: String(to) }));
