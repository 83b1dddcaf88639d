// What was done with what is kept here: retries, discards, erasures, retention and replays, the newest first.
import type { Sql, TransactionSql } from "postgres";
import { z } from "zod";
import { auditActions } from "../audit.ts";
import { filterRules } from "../quarantine/selection.ts";

const { project, from, to } = filterRules;

export const auditParameters = z.object({
  project,
  action: z.enum(auditActions).optional().describe("What was done"),
  from: from.describe("Done at this time or later: a date or an RFC 3339 time"),
  to: to.describe("Done before this time; a bare date means the end of that day"),
  limit: z.coerce.number().int().min(1).max(1_000).default(100).describe("Rows at most"),
  cursor: z
    .string()
    .regex(/^[1-9]\d{0,17}$/, "is no number of a row")
    .optional()
    .describe("Goes on behind this row, as meta.next said"),
});

export type AuditAsked = z.output<typeof auditParameters>;

export const auditRow = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  actor: z
    .string()
    .describe(
      "Who: api, with the name of a token made for somebody, ledger, automatic, or command with a user's name; empty where nobody noted it",
    ),
  action: z.string(),
  project: z.string().describe("Empty where it is of none, or of all"),
  target: z
    .string()
    .describe("A record, a subject's hash, a bound or a schema; empty for quarantined events"),
  event: z.string().nullable().describe("The quarantined event, where it is still kept"),
  outcome: z.string(),
  why: z.string(),
  retry_batch_id: z.uuid().nullable(),
});

export type AuditRow = z.output<typeof auditRow>;

export interface AuditPage {
  rows: AuditRow[];
  /** Where the next page begins; null on the last. */
  next: string | null;
}

/** The newest first, up to `limit` of those before `cursor`. */
export async function listAudit(
  sql: Sql | TransactionSql,
  { project, action, from, to, limit, cursor }: AuditAsked,
): Promise<AuditPage> {
  const found = await sql`
    select a.audit_id::text as id, a.acted_at as at, a.actor, a.action, a.project_id as project, a.target,
      q.quarantine_id::text as event, a.outcome, a.why, a.retry_batch_id
    from audit a
    left join quarantine q on q.identity_hash = a.identity_hash and q.fingerprint = a.fingerprint
    where true
      ${project === undefined ? sql`` : sql`and a.project_id = ${project}`}
      ${action === undefined ? sql`` : sql`and a.action = ${action}`}
      ${from === undefined ? sql`` : sql`and a.acted_at >= ${new Date(from)}`}
      ${to === undefined ? sql`` : sql`and a.acted_at < ${new Date(to)}`}
      ${cursor === undefined ? sql`` : sql`and a.audit_id < ${cursor}`}
    order by a.audit_id desc
    limit ${limit + 1}`;
  const rows = found
    .slice(0, limit)
    .map((row) => ({ ...row, at: (row["at"] as Date).toISOString() }) as AuditRow);
  return { rows, next: found.length > limit ? (rows.at(-1)?.id ?? null) : null };
}
