// What every suite of alerts begins with: a store without rows, and a log without records.
import { modelTables } from "../../../aggregator/model/models.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";

const tables = [
  ...["events", "ledger", "streams", "log_holes", "log_positions", "notices"],
  ...["alert_states", "alert_events", "alert_deliveries"],
  ...modelTables,
];

/** By deleting: to truncate makes files anew, which takes a server with a disk a second or two. */
export async function emptyStore(store: Store): Promise<void> {
  await store.sql.unsafe(tables.map((table) => `delete from ${table}`).join(";"));
}

export async function memoryReader(): Promise<LogReader> {
  const log = memoryLog(new Map(), { topic: "events" });
  await log.create();
  return await log.reader();
}
