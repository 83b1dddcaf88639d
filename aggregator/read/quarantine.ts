// What lies in quarantine: the rows a filter lets through, page by page, their sums, and one row whole.
import type { Sql, TransactionSql } from "postgres";
import { type Selection, selected } from "../quarantine/selection.ts";
import { textOf } from "./quarantine-text.ts";

/** One row as it is listed; times are RFC 3339 in UTC. */
export interface QuarantinedRow {
  id: string;
  project: string;
  station: string;
  weir_version: string;
  reason: string;
  pointer: string;
  detail: string;
  status: string;
  attempts: number;
  batch_id: string;
  index: number;
  bytes: number;
  received_at: string;
  quarantined_at: string;
  next_retry_at: string | null;
  retry_batch_id: string | null;
  retry_index: number | null;
  retried_at: string | null;
}

/** A row with its event as it came, and what was done with it. */
export interface QuarantinedEvent extends QuarantinedRow {
  /** As text where it is text, or what was packed as an object's JSON; null for other bytes. */
  original: string | null;
  original_base64: string;
  dialect: string;
  history: QuarantineAction[];
}

export interface QuarantineAction {
  at: string;
  action: string;
  actor: string;
  outcome: string;
  why: string;
  retry_batch_id: string | null;
}

export interface QuarantineSum {
  reason: string;
  status: string;
  events: number;
}

export interface RecordSum {
  reason: string;
  records: number;
}

export interface QuarantinePage {
  rows: QuarantinedRow[];
  /** Where the next page begins; null on the last. */
  next: string | null;
}

const columns = `
  quarantine_id as id, project_id as project, station, weir_version, reason, pointer, detail, status,
  attempts, batch_id, index, octet_length(original) as bytes, received_at, quarantined_at, next_retry_at,
  retry_batch_id, retry_index, retried_at`;

/** The newest first, up to `limit` of those before `cursor`. */
export async function listQuarantine(
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
  return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
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

/** Records that were kept whole, since they could not be read or had another batch's id; reconcile fails by them. */
export async function sumRecords(sql: Sql | TransactionSql): Promise<RecordSum[]> {
  return await sql<RecordSum[]>`
    select reason, count(*)::float8 as records
    from quarantined_records
    group by reason
    order by reason`;
}

/** One row whole; undefined where there is none, or none any more. */
export async function showQuarantined(
  sql: Sql | TransactionSql,
  id: string,
): Promise<QuarantinedEvent | undefined> {
  const [row] = await sql`
    select ${sql.unsafe(columns)}, original, dialect, identity_hash, fingerprint
    from quarantine
    where quarantine_id = ${id}`;
  if (row === undefined) return undefined;
  const actions = await sql`
    select acted_at, action, actor, outcome, why, retry_batch_id
    from quarantine_actions
    where identity_hash = ${row["identity_hash"]} and fingerprint = ${row["fingerprint"]}
    order by action_id`;
  const bytes = row["original"] as Buffer;
  return {
    ...rowOf(row),
    original: textOf(bytes, row["station"] === "aggregator"),
    original_base64: bytes.toString("base64"),
    dialect: row["dialect"],
    history: actions.map((action) => ({
      at: (action["acted_at"] as Date).toISOString(),
      action: action["action"],
      actor: action["actor"],
      outcome: action["outcome"],
      why: action["why"],
      retry_batch_id: action["retry_batch_id"],
    })),
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
