// Moves a whole store into another one, table by table, also when no log holds its events any more.
import type { TransactionSql } from "postgres";
import { createPartitions } from "../partitions.ts";
import { migrate } from "../store/migrate.ts";
import type { Store } from "../store/store.ts";
import { type ComparedTable, compareSums, sumTables } from "./checksum.ts";
import { inSnapshot, ReplayError } from "./snapshot.ts";
import { copyTable, listTables, type Table } from "./tables.ts";

/** What a migration fills: the rows of the source stand in their place. */
const filledByMigrations: ReadonlySet<string> = new Set(["active_types"]);

/**
 * Copies `from` into `into`, all of it in one snapshot and one transaction: it is there whole or not at
 * all, and who was stopped in the middle starts over. Rejects with `target_not_empty` where `into` has
 * written anything already.
 */
export async function copyStore(from: Store, into: Store): Promise<ComparedTable[]> {
  await migrate(into);
  return await inSnapshot(from, async (source) => {
    await createPartitions(into).ensure(await eventMonths(source));
    const tables = await listTables(source);
    const write = (target: TransactionSql) => copyAll(source, target, [...tables.values()], from.label);
    await inSnapshot(into, write, "read committed");
    const [left, right] = [await sumTables(source), await inSnapshot(into, sumTables)];
    return compareSums(left, right);
  });
}

async function copyAll(
  source: TransactionSql,
  target: TransactionSql,
  tables: readonly Table[],
  label: string,
): Promise<void> {
  const known = await listTables(target);
  for (const table of tables) {
    const own = known.get(table.name);
    const missing = own === undefined ? "the table" : table.columns.find((one) => !own.columns.includes(one));
    if (missing !== undefined) {
      throw new ReplayError("source_unknown", `the target does not know ${missing} of ${table.name}`);
    }
    if (filledByMigrations.has(table.name)) await target.unsafe(`delete from ${table.name}`);
    const [row] = await target.unsafe(`select exists (select 1 from ${table.name}) as filled`);
    if (row?.["filled"] === true) {
      throw new ReplayError("target_not_empty", `${table.name} of the target has rows already`);
    }
    await copyTable(source, target, table);
  }
  await target`insert into replays (way, source, log_id, finished_at) values ('copy', ${label}, '', now())`;
}

// One time in every month that has events, for the partitions of plain PostgreSQL.
async function eventMonths(source: TransactionSql): Promise<{ time: number }[]> {
  const rows = await source<{ time: number }[]>`
    select distinct extract(epoch from date_trunc('month', event_time))::float8 * 1000 as time
    from events
    order by 1`;
  return [...rows];
}
