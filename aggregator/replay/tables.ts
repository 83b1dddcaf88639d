// The tables of a store as rows to be moved: which there are, and how one's rows get into another store.
import type { Readable } from "node:stream";
import type { TransactionSql } from "postgres";
import { copyPieces } from "../copy.ts";
import { errorText } from "../store/errors.ts";
import { ReplayError } from "./snapshot.ts";

/** A table of ours with the columns that hold something of their own. */
export interface Table {
  name: string;
  columns: readonly string[];
}

/** What belongs to one schema alone, holds no rows, or is half of a move. */
const neverMoved = ["schema_migrations", "event_columns", "replays", "events_next"];

/** The tables of the schema by name; partitions and chunks are their table's. */
export async function listTables(tx: TransactionSql): Promise<Map<string, Table>> {
  const rows = await tx`
    select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    where c.relnamespace = current_schema()::regnamespace
      and c.relkind in ('r', 'p')
      and not c.relispartition
      and c.relname <> all(${neverMoved})
    group by c.relname
    order by c.relname`;
  return new Map(rows.map((row) => [String(row["name"]), row as unknown as Table]));
}

/** Copies all rows of a table in binary, from one transaction into another, as they come. */
export async function copyTable(
  from: TransactionSql,
  into: TransactionSql,
  table: Table,
  source = table.name,
): Promise<void> {
  const columns = table.columns.map((name) => `"${name}"`).join(", ");
  const rows: Readable = await from
    .unsafe(`copy (select ${columns} from ${source}) to stdout (format binary)`)
    .readable();
  await copyPieces(into, `${table.name} (${columns})`, told(rows));
  await raiseSequences(into, table);
}

// A lost connection of the source is no lost connection of the target: that one is to roll back.
async function* told(rows: Readable): AsyncIterable<Uint8Array> {
  try {
    yield* rows as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw new ReplayError("source_lost", `the source broke off: ${errorText(error)}`);
  } finally {
    // The stream of postgres.js may end with its socket still paused, and the answer behind it never comes.
    rows._read(0);
  }
}

// Numbers the target gives out go on behind those that came.
async function raiseSequences(into: TransactionSql, { name, columns }: Table): Promise<void> {
  for (const column of columns) {
    const [found] = await into`select pg_get_serial_sequence(${name}, ${column}) as sequence`;
    if (found?.["sequence"] == null) continue;
    await into.unsafe(`
      select setval('${found["sequence"]}', greatest(max("${column}"), 1), max("${column}") is not null)
      from ${name}`);
  }
}
