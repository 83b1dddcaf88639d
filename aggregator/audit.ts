// The audit: who did what with what is kept here, when and why.
import type { ISql } from "postgres";

/**
 * What is noted. `retry`, `retried`, `refused_again` and `discard` are of the quarantine, `restore` and `swap`
 * of a replay, `key` and `policy` of who may send and what is kept, `token` of who may ask; `retried` and
 * `refused_again` say how a retry ended; `acknowledge` of what a proof found amiss.
 */
export const auditActions = [
  "retry",
  "retried",
  "refused_again",
  "discard",
  "expire",
  "erase",
  "restore",
  "swap",
  "key",
  "token",
  "policy",
  "acknowledge",
] as const;
export type AuditAction = (typeof auditActions)[number];

export interface Noted {
  action: AuditAction;
  /** Such as `api`, or `command` with who ran it. */
  actor: string;
  /** Empty where it is of no project, or of all. */
  project?: string;
  /** What it was done to; never a person's own id. */
  target: string;
  outcome?: string;
  why?: string;
}

/** Notes one action; in the transaction of what was done, where there is one. */
export async function noteAction(sql: ISql, noted: Noted): Promise<void> {
  const { action, actor, project = "", target, outcome = "", why = "" } = noted;
  await sql`
    insert into audit (action, actor, project_id, target, outcome, why)
    values (${action}, ${actor}, ${project}, ${target}, ${outcome}, ${why})`;
}
