// What a log does not tell: keys, erasures, retention, and what people did with what lies in quarantine.
import type { TransactionSql } from "postgres";
import type { Store } from "../store/store.ts";
import { inSnapshot } from "./snapshot.ts";
import { copyTable, listTables, type Table } from "./tables.ts";

/** What the writer makes anew from the log; everything else is copied. */
const rebuilt: ReadonlySet<string> = new Set([
  "canaries",
  "collector_runs",
  "events",
  "ledger",
  "ledger_folded",
  "ledger_hours",
  "ledger_retransmissions",
  "log_holes",
  "log_positions",
  "log_rewinds",
  "marks",
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
