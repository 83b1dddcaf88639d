// What lies in quarantine: the rows a filter lets through, page by page, their sums, and one row whole.
import type { Sql, TransactionSql } from "postgres";
import { isRecordId, type Selection, selected } from "../quarantine/selection.ts";
import { listRecords, showRecord } from "./quarantine-records.ts";
import {
  actionOf,
  type QuarantinedEvent,
  type QuarantinedRow,
  type QuarantinePage,
  type QuarantineSum,
} from "./quarantine-row.ts";
import { textOf } from "./quarantine-text.ts";

const columns = `
  quarantine_id as id, project_id as project, station, weir_version, reason, pointer, detail, status,
  attempts, batch_id, index, octet_length(original) as bytes, received_at, quarantined_at, next_retry_at,
  retry_batch_id, retry_index, retried_at`;

/** Records kept whole, then events, each the newest first: up to `limit` of those behind `cursor`. */
export async function listQuarantine(
  sql: Sql | TransactionSql,
  selection: Selection,
  limit: number,
  cursor?: string,
): Promise<QuarantinePage> {
  const isBehindRecords = cursor !== undefined && !isRecordId(cursor);
  const records = isBehindRecords ? [] : await listRecords(sql, selection, limit + 1, cursor);
  if (records.length > limit) {
    const rows = records.slice(0, limit);
    return { rows, next: rows.at(-1)?.id ?? null };
  }
  const page = await listEvents(sql, selection, limit - records.length, isBehindRecords ? cursor : undefined);
  const rows = [...records, ...page.rows];
  return { rows, next: page.next === null ? null : (page.rows.at(-1)?.id ?? rows.at(-1)?.id ?? null) };
}

async function listEvents(
  sql: Sql | TransactionSql,
  selection: Selection,
  limit: number,
  cursor?: string,
): Promise<QuarantinePage> {
  const found = await sql`
    select ${sql.unsafe(columns)}
    from quarantine
    where ${selected(sql, selection)}
      ${cursor === undefined ? sql`` : sql`and quarantine_id < ${cursor}`}
    order by quarantine_id desc
    limit ${limit + 1}`;
  const rows = found.slice(0, limit).map(rowOf);
  return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? "") : null };
}

/** How many there are of each reason and status. */
export async function sumQuarantine(
  sql: Sql | TransactionSql,
  selection: Selection,
): Promise<QuarantineSum[]> {
  return await sql<QuarantineSum[]>`
    select reason, status, count(*)::float8 as events
    from quarantine
    where ${selected(sql, selection)}
    group by reason, status
    order by events desc, reason, status`;
}

/** One row whole; undefined where there is none, or none any more. */
export async function showQuarantined(
  sql: Sql | TransactionSql,
  id: string,
): Promise<QuarantinedEvent | undefined> {
  if (isRecordId(id)) return await showRecord(sql, id);
  const [row] = await sql`
    select ${sql.unsafe(columns)}, original, dialect, identity_hash, fingerprint
    from quarantine
    where quarantine_id = ${id}`;
  if (row === undefined) return undefined;
  const actions = await sql`
    select acted_at, action, actor, outcome, why, retry_batch_id
    from audit
    where identity_hash = ${row["identity_hash"]} and fingerprint = ${row["fingerprint"]}
    order by audit_id`;
  const bytes = row["original"] as Buffer;
  return {
    ...rowOf(row),
    original: textOf(bytes, row["station"] === "aggregator"),
    original_base64: bytes.toString("base64"),
    dialect: row["dialect"],
    history: actions.map(actionOf),
  };
}

function rowOf(row: Record<string, unknown>): QuarantinedRow {
  const time = (name: string): string | null => (row[name] as Date | null)?.toISOString() ?? null;
  const { original: _, dialect: _1, identity_hash: _2, fingerprint: _3, ...rest } = row;
  return {
    ...(rest as unknown as QuarantinedRow),
    received_at: time("received_at") ?? "",
    quarantined_at: time("quarantined_at") ?? "",
    next_retry_at: time("next_retry_at"),
    retried_at: time("retried_at"),
  };
}
