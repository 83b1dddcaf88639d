// Which events a question is about, as a condition on the events table.
import type { PendingQuery, Row, TransactionSql } from "postgres";
import type { Range } from "./range.ts";

/** The shared parameters that choose events. */
export interface EventsAsked {
  project?: string | undefined;
  types?: readonly string[] | undefined;
  users: "identified" | "all" | "linked";
}

/** Epoch ms; `to` is exclusive. */
export type Span = Pick<Range, "from" | "to">;

/** A piece of a statement, its values as parameters. */
export type Fragment = PendingQuery<Row[]>;

/** Largest time an id can carry, 2^48 − 1 ms. */
const idTimeMsMax = 0xffff_ffff_ffff;

/**
 * Events of the span, the project and the types. The time is also in front of the id, so the same span
 * is named a second time by ids: that finds a few hours by the key's index, without another one.
 */
export function within(tx: TransactionSql, asked: EventsAsked, span: Span): Fragment {
  return tx`
    event_time >= to_timestamp(${span.from}::float8 / 1000)
    and event_time < to_timestamp(${span.to}::float8 / 1000)
    and id >= ${firstIdAt(span.from)}::uuid
    and id <= ${lastIdBefore(span.to)}::uuid
    ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
    ${asked.types === undefined ? tx`` : tx`and type = any(${[...asked.types]}::text[])`}`;
}

/** The same, without those that carry no user_id where only identified ones are asked for. */
export function withinUsers(tx: TransactionSql, asked: EventsAsked, span: Span): Fragment {
  const all = within(tx, asked, span);
  return asked.users !== "identified" ? all : tx`${all} and user_id is not null`;
}

/** The least id that an event of this time, in epoch ms, may have. */
export function firstIdAt(ms: number): string {
  return `${idHead(ms)}-0000-0000-000000000000`;
}

/** The greatest id of an event before this time. */
export function lastIdBefore(ms: number): string {
  return `${idHead(ms - 1)}-ffff-ffff-ffffffffffff`;
}

function idHead(ms: number): string {
  const hex = Math.min(Math.max(ms, 0), idTimeMsMax).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
