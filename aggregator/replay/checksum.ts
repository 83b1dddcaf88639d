// Sums up the tables of a store, so that two stores can be compared without moving their rows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TransactionSql } from "postgres";

/** A table's rows as a number and a sum over their hashes, whatever their order. */
export interface TableSum {
  rows: number;
  checksum: string;
}

const columnsText = readFileSync(join(import.meta.dirname, "../../sql/checksums/columns.sql"), "utf8");

/**
 * The sums of every table that sql/checksums names, in the transaction's own snapshot. The text of a row
 * is hashed, so that two versions and two flavours of the server agree.
 */
export async function sumTables(tx: TransactionSql): Promise<Map<string, TableSum>> {
  await tx`
    select
      set_config('datestyle', 'ISO, YMD', true),
      set_config('bytea_output', 'hex', true),
      set_config('extra_float_digits', '1', true),
      set_config('statement_timeout', '0', true)`;
  const sums = new Map<string, TableSum>();
  for (const { table_name: table, columns } of await tx.unsafe(columnsText)) {
    // 60 bits of each row's hash: a sum of them does not depend on the order of the rows.
    const [sum] = await tx.unsafe(`
      select
        count(*)::float8 as rows,
        coalesce(sum(
          ('x' || left(encode(sha256(convert_to(row(${columns})::text, 'UTF8')), 'hex'), 15))::bit(60)::bigint
        ), 0)::text as checksum
      from ${table}`);
    sums.set(table, { rows: sum?.["rows"], checksum: sum?.["checksum"] });
  }
  return sums;
}

/** One table in two stores; a store that has no such table has nought in it. */
export interface ComparedTable {
  table: string;
  equal: boolean;
  rows: { from: number; into: number };
  checksum: { from: string; into: string };
}

/** Puts the sums of two stores side by side. */
export function compareSums(
  from: ReadonlyMap<string, TableSum>,
  into: ReadonlyMap<string, TableSum>,
): ComparedTable[] {
  const none: TableSum = { rows: 0, checksum: "0" };
  return [...new Set([...from.keys(), ...into.keys()])].sort().map((table) => {
    const [left, right] = [from.get(table) ?? none, into.get(table) ?? none];
    return {
      table,
      equal: left.rows === right.rows && left.checksum === right.checksum,
      rows: { from: left.rows, into: right.rows },
      checksum: { from: left.checksum, into: right.checksum },
    };
  });
}
