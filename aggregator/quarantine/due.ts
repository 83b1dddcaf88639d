// Gives open rows that may pass by themselves the time of their first retry.
import { readTime } from "../../shared/event/time.ts";
import { timeAheadMs } from "../../shared/limits.ts";
import type { QuarantineReason } from "../../shared/problem.ts";
import type { Store } from "../store/store.ts";
import { nextRetryAt, transientReasons } from "./transient.ts";

interface Fresh {
  quarantine_id: string;
  reason: QuarantineReason;
  attempts: number;
  original: Buffer;
  quarantined_at: Date;
}

const rowsAtOnce = 500;

/**
 * Schedules up to 500 rows that never were tried. An event whose time lay ahead is due when that has come;
 * one whose time cannot be read, or lies further ahead than rows are kept, is left to people.
 */
export async function scheduleRetries(store: Store, nowMs: number): Promise<void> {
  const rows = await store.sql<Fresh[]>`
    select quarantine_id, reason, attempts, original, quarantined_at
    from quarantine
    where status = 'open' and reason = any(${transientReasons}) and not is_scheduled
    order by quarantine_id
    limit ${rowsAtOnce}`;
  if (rows.length === 0) return;
  const told = rows.map((row) => ({ id: row.quarantine_id, ms: dueAt(row, nowMs) }));
  await store.sql`
    update quarantine q
    set is_scheduled = true, next_retry_at = to_timestamp(r.ms / 1000.0)
    from jsonb_to_recordset(${store.sql.json(told)}) as r(id bigint, ms bigint)
    where q.quarantine_id = r.id and q.status = 'open' and not q.is_scheduled`;
}

function dueAt(row: Fresh, nowMs: number): number | null {
  if (row.reason !== "time_ahead") return nextRetryAt(row, row.quarantined_at.getTime()) ?? null;
  const time = timeOf(row.original);
  // A minute more, since the edge's clock need not be ours.
  return time === undefined ? null : Math.max(nowMs, time - timeAheadMs + 60_000);
}

// The field by either of its names; a msgpack body or another client's format is left to people.
function timeOf(original: Uint8Array): number | undefined {
  try {
    const event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(original));
    const value: unknown = event?.timestamp ?? event?.client_timestamp;
    const time = typeof value === "string" || typeof value === "number" ? readTime(value) : undefined;
    return typeof time === "number" ? time : undefined;
  } catch {
    return undefined;
  }
}
