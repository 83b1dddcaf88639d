// What the quarantine's questions answer, row by row; an event and a record kept whole look alike.

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
  /** Of an event: its place in its batch. */
  batch_id: string | null;
  index: number | null;
  bytes: number;
  /** Of a record kept whole: when it was put here. */
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
  status: "open" | "discarded";
  records: number;
}

export interface QuarantinePage {
  rows: QuarantinedRow[];
  /** Where the next page begins; null on the last. */
  next: string | null;
}

/** One row of the audit as a row's history tells it. */
export const actionOf = (action: Record<string, unknown>): QuarantineAction => ({
  at: (action["acted_at"] as Date).toISOString(),
  action: String(action["action"]),
  actor: String(action["actor"]),
  outcome: String(action["outcome"]),
  why: String(action["why"]),
  retry_batch_id: action["retry_batch_id"] as string | null,
});
