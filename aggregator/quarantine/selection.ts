// Which rows of the quarantine are meant: some by their numbers, or all that a filter lets through.
import type { Fragment, ISql } from "postgres";
import { z } from "zod";
import { readTime } from "../../shared/event/time.ts";
import { identifierLengthMax } from "../../shared/limits.ts";
import { type QuarantineReason, quarantineReasons } from "../../shared/problem.ts";

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

/** A row's number as people give it; that of a record kept whole begins with an r. */
export const rowId = z.string().regex(/^r?[1-9]\d{0,17}$/, "is no number of a row");

export const isRecordId = (id: string): boolean => id.startsWith("r");

/** The events among the numbers asked for. */
export const eventIds = ({ ids }: Selection): string[] | undefined => ids?.filter((id) => !isRecordId(id));

const dayMs = 86_400_000;

// A bare date as a day of UTC: its beginning, or, for `to`, its end.
const moment = (dayAddsMs: number) =>
  z.string().transform((text, context): number => {
    const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
    const time = readTime(isDay ? `${text}T00:00:00Z` : text);
    // PostgreSQL's calendar has neither the year 0 nor what is long before it; as text a time ends with 9999.
    if (typeof time === "number" && time >= -62_135_596_800_000) {
      return Math.min(isDay ? time + dayAddsMs : time, 253_402_300_799_999);
    }
    context.addIssue({ code: "custom", message: "must be a date or an RFC 3339 time" });
    return z.NEVER;
  });

/** The filters as people give them, by flag, query or body. */
export const filterRules = {
  reason: z.enum(quarantineReasons).optional().describe("Why they were refused"),
  project: z
    .string()
    .min(1)
    .max(identifierLengthMax)
    .refine((text) => !text.includes("\u0000") && text.isWellFormed(), "must be well-formed text")
    .optional()
    .describe("One project; all of them when absent"),
  from: moment(0).optional().describe("Received at this time or later: a date or an RFC 3339 time"),
  to: moment(dayMs).optional().describe("Received before this time; a bare date means the end of that day"),
};

/** The same with how they stand, for looking only. */
export const listRules = {
  ...filterRules,
  status: z.enum(quarantineStatuses).optional().describe("How they stand"),
};

/** The condition over the columns of `quarantine`. */
export function selected(sql: ISql, selection: Selection): Fragment {
  const { reason, project, status, from, to, due } = selection;
  const ids = eventIds(selection);
  return sql`true
    ${ids === undefined ? sql`` : sql`and quarantine_id = any(${ids}::bigint[])`}
    ${reason === undefined ? sql`` : sql`and reason = ${reason}`}
    ${project === undefined ? sql`` : sql`and project_id = ${project}`}
    ${status === undefined ? sql`` : sql`and status = ${status}`}
    ${from === undefined ? sql`` : sql`and received_at >= ${new Date(from)}`}
    ${to === undefined ? sql`` : sql`and received_at < ${new Date(to)}`}
    ${due === undefined ? sql`` : sql`and next_retry_at <= ${new Date(due)}`}`;
}

/**
 * The same over the columns of `quarantined_records`. Which project a record belongs to nobody knows before it
 * is read, and it is never retried by itself: where either is asked for, none is meant.
 */
export function recordsSelected(
  sql: ISql,
  { ids, reason, project, status, from, to, due }: Selection,
): Fragment {
  if (project !== undefined || due !== undefined) return sql`false`;
  if (status !== undefined && status !== "open" && status !== "discarded") return sql`false`;
  const numbers = ids?.filter(isRecordId).map((id) => id.slice(1));
  return sql`true
    ${numbers === undefined ? sql`` : sql`and record_id = any(${numbers}::bigint[])`}
    ${reason === undefined ? sql`` : sql`and reason = ${reason}`}
    ${status === undefined ? sql`` : sql`and discarded_at is ${status === "open" ? sql`` : sql`not`} null`}
    ${from === undefined ? sql`` : sql`and quarantined_at >= ${new Date(from)}`}
    ${to === undefined ? sql`` : sql`and quarantined_at < ${new Date(to)}`}`;
}
