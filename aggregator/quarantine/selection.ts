// Which rows of the quarantine are meant: some by their numbers, or all that a filter lets through.
import type { Fragment, ISql } from "postgres";
import type { QuarantineReason } from "../../shared/problem.ts";

/** How a row stands: `retrying` and `sent` while a retry of it is on its way. */
export const quarantineStatuses = ["open", "retrying", "sent", "retried", "discarded"] as const;
export type QuarantineStatus = (typeof quarantineStatuses)[number];

/** Absent members let everything through. Times are epoch ms of the reception, `to` exclusive. */
export interface Selection {
  ids?: readonly string[] | undefined;
  reason?: QuarantineReason | undefined;
  project?: string | undefined;
  status?: QuarantineStatus | undefined;
  from?: number | undefined;
  to?: number | undefined;
  /** Those whose next retry is due at this moment, epoch ms. */
  due?: number | undefined;
}

/** The condition over the columns of `quarantine`. */
export function selected(sql: ISql, selection: Selection): Fragment {
  const { ids, reason, project, status, from, to, due } = selection;
  return sql`true
    ${ids === undefined ? sql`` : sql`and quarantine_id = any(${[...ids]}::bigint[])`}
    ${reason === undefined ? sql`` : sql`and reason = ${reason}`}
    ${project === undefined ? sql`` : sql`and project_id = ${project}`}
    ${status === undefined ? sql`` : sql`and status = ${status}`}
    ${from === undefined ? sql`` : sql`and received_at >= ${new Date(from)}`}
    ${to === undefined ? sql`` : sql`and received_at < ${new Date(to)}`}
    ${due === undefined ? sql`` : sql`and next_retry_at <= ${new Date(due)}`}`;
}
