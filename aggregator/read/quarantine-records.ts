// Records kept whole, as rows beside the quarantined events: listed, summed, and one of them shown.
import type { Sql, TransactionSql } from "postgres";
import { weirVersion } from "../../shared/wire/version.ts";
import { recordTarget } from "../kept-records.ts";
import { recordsSelected, type Selection } from "../quarantine/selection.ts";
import { actionOf, type QuarantinedEvent, type QuarantinedRow, type RecordSum } from "./quarantine-row.ts";
import { textOf } from "./quarantine-text.ts";

const columns = `
  record_id, log_id, partition, log_offset, reason, detail, octet_length(original) as bytes, quarantined_at,
  discarded_at`;

/** The newest first, up to `limit` of those before `cursor`. */
export async function listRecords(
  sql: Sql | TransactionSql,
  selection: Selection,
  limit: number,
  cursor?: string,
): Promise<QuarantinedRow[]> {
  const found = await sql`
    select ${sql.unsafe(columns)}
    from quarantined_records
    where ${recordsSelected(sql, selection)}
      ${cursor === undefined ? sql`` : sql`and record_id < ${cursor.slice(1)}`}
    order by record_id desc
    limit ${limit}`;
  return found.map(rowOf);
}

/** How many there are of each reason and state; reconcile fails by those that are open. */
export async function sumRecords(sql: Sql | TransactionSql): Promise<RecordSum[]> {
  return await sql<RecordSum[]>`
    select reason, case when discarded_at is null then 'open' else 'discarded' end as status,
      count(*)::float8 as records
    from quarantined_records
    group by 1, 2
    order by 1, 2 desc`;
}

/** One record whole, its number with the r; undefined where it is not there, or was written since. */
export async function showRecord(
  sql: Sql | TransactionSql,
  id: string,
): Promise<QuarantinedEvent | undefined> {
  const [row] = await sql`
    select ${sql.unsafe(columns)}, original
    from quarantined_records
    where record_id = ${id.slice(1)}`;
  if (row === undefined) return undefined;
  const actions = await sql`
    select acted_at, action, actor, outcome, why, retry_batch_id
    from audit
    where target = (select ${recordTarget(sql)} from quarantined_records where record_id = ${id.slice(1)})
    order by audit_id`;
  const bytes = row["original"] as Buffer;
  return {
    ...rowOf(row),
    original: textOf(bytes, false),
    original_base64: bytes.toString("base64"),
    dialect: "",
    history: actions.map(actionOf),
  };
}

function rowOf(row: Record<string, unknown>): QuarantinedRow {
  const at = (row["quarantined_at"] as Date).toISOString();
  return {
    id: `r${row["record_id"]}`,
    project: "",
    station: "aggregator",
    weir_version: weirVersion,
    reason: String(row["reason"]),
    pointer: "",
    detail: `the record at partition ${row["partition"]}, offset ${row["log_offset"]} of log ${row["log_id"]}: ${row["detail"]}`,
    status: row["discarded_at"] === null ? "open" : "discarded",
    attempts: 0,
    batch_id: null,
    index: null,
    bytes: row["bytes"] as number,
    received_at: at,
    quarantined_at: at,
    next_retry_at: null,
    retry_batch_id: null,
    retry_index: null,
    retried_at: null,
  };
}
