// What a log does not tell: keys, erasures, retention, and what people did with what lies in quarantine.
import type { TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogIdentity } from "../../shared/log/log.ts";
import { silentMeter } from "../../shared/meter.ts";
import { modelTables } from "../model/models.ts";
import { retryRecords } from "../quarantine/records.ts";
import type { Store } from "../store/store.ts";
import { inSnapshot } from "./snapshot.ts";
import { copyTable, listTables, type Table } from "./tables.ts";

/** What the writer makes anew from the log; everything else is copied. */
const rebuilt: ReadonlySet<string> = new Set([
  ...modelTables,
  "canaries",
  "collector_runs",
  "events",
  "ledger",
  "ledger_folded",
  "ledger_horizon",
  "ledger_hours",
  "ledger_retransmissions",
  "log_holes",
  "log_positions",
  "log_rewinds",
  "moved_events",
  "quarantine",
  "quarantine_expired",
  "quarantined_records",
  "row_removals",
  "row_restorations",
  "streams",
]);

/** What the writer says of a quarantined event; its other columns are what became of it since. */
const written: ReadonlySet<string> = new Set([
  "quarantine_id",
  "batch_id",
  "index",
  "project_id",
  "identity_hash",
  "fingerprint",
  "station",
  "version",
  "reason",
  "pointer",
  "detail",
  "original",
  "received_at",
  "quarantined_at",
  "weir_version",
  "event_key",
  "flags",
  "dialect",
  "identity_asked",
  "sent_at",
]);

/** Puts the live store's state into `into`, in place of what an earlier try has left there. */
export async function copyState(live: TransactionSql, into: Store): Promise<void> {
  const tables = [...(await listTables(live)).values()].filter(({ name }) => !rebuilt.has(name));
  await inSnapshot(
    into,
    async (target) => {
      for (const table of tables) {
        await target.unsafe(`delete from ${table.name}`);
        await copyTable(live, target, table);
      }
    },
    "read committed",
  );
}

/** Gives rebuilt rows of the quarantine the state that the live ones have. Changes nothing a second time. */
export async function copyQuarantineState(live: TransactionSql, into: Store): Promise<void> {
  const table = (await listTables(live)).get("quarantine");
  const state = table?.columns.filter((column) => !written.has(column)) ?? [];
  if (state.length === 0) return;
  const columns = ["identity_hash", "fingerprint", ...state];
  const list = columns.map((column) => `"${column}"`).join(", ");
  const kept: Table = { name: "weir_quarantine_state", columns };
  await inSnapshot(
    into,
    async (target) => {
      await target.unsafe(
        `create temp table ${kept.name} on commit drop as select ${list} from quarantine with no data`,
      );
      await copyTable(live, target, kept, "quarantine");
      const set = state.map((column) => `"${column}" = k."${column}"`).join(", ");
      await target.unsafe(`
        update quarantine q set ${set}
        from ${kept.name} k
        where q.identity_hash = k.identity_hash and q.fingerprint = k.fingerprint`);
    },
    "read committed",
  );
}

/**
 * The same for records kept whole: what the live store has written since, under an id of its own, is written,
 * and what was discarded there is discarded.
 */
export async function copyRecordState(
  live: TransactionSql,
  into: Store,
  log: LogIdentity,
  clock: Clock,
): Promise<void> {
  const kept = await into.sql`
    select record_id, partition, log_offset from quarantined_records where log_id = ${log.id} order by record_id`;
  if (kept.length === 0) return;
  const places = kept.map(({ record_id, partition, log_offset }) => ({ record_id, partition, log_offset }));
  const written = await live`
    select r.record_id
    from jsonb_to_recordset(${live.json(places)}) as r(record_id bigint, partition int, log_offset bigint)
    join ledger l on l.log_id = ${log.id} and l.partition = r.partition and l.log_offset = r.log_offset
    order by r.record_id`;
  const ids = written.map((row) => `r${row["record_id"]}`);
  const options = { store: into, clock, meter: silentMeter };
  await retryRecords(options, { selection: { ids }, asNew: true, actor: undefined });
  const discarded = await live`
    select partition, log_offset, discarded_at::text
    from quarantined_records
    where log_id = ${log.id} and discarded_at is not null`;
  await into.sql`
    update quarantined_records q
    set discarded_at = r.discarded_at
    from jsonb_to_recordset(${into.sql.json([...discarded] as never)}) as r(
      partition int, log_offset bigint, discarded_at timestamptz
    )
    where q.log_id = ${log.id} and q.partition = r.partition and q.log_offset = r.log_offset`;
}
