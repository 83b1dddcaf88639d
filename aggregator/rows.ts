// One event as one row of the events table: which columns, in which order, of which type.
import type { EventFields } from "../shared/event/event.ts";
import { eventTimeOf, fingerprintBytes } from "../shared/event/identity.ts";
import type { Batch } from "../shared/wire/batch.ts";
import type { CopyBytes } from "./copy-bytes.ts";

/** The columns written, in the order of `putRow`; `stored_at` is the transaction's time by default. */
export const eventColumns = [
  "id",
  "event_time",
  "client_time",
  "received_at",
  "fingerprint",
  "clock_offset_ms",
  "seq",
  "version",
  "flags",
  "identity",
  "project_id",
  "type",
  "event_id",
  "aggregate_id",
  "user_id",
  "anonymous_id",
  "session_id",
  "stream_id",
  "country",
  "city",
  "device",
  "app_version",
  "revenue",
  "currency",
  "payload",
  "context",
  "metadata",
] as const;

/** Their names as SQL lists them. */
export const eventColumnList: string = eventColumns.join(", ");

/**
 * Writes event `index` of a batch. Throws, leaving a part of a row behind, where a value is of another
 * kind than its column; the caller puts `rows.at` back and takes the event as unwritable.
 */
export function putRow(rows: CopyBytes, batch: Batch, index: number, event: EventFields): void {
  rows.row(eventColumns.length);
  rows.raw(batch.ids, index * 16, 16);
  rows.time(eventTimeOf(batch.ids, index * 16));
  rows.time(event.clientTime);
  rows.time(batch.receivedAt);
  rows.raw(batch.fingerprints, index * fingerprintBytes, fingerprintBytes);
  rows.int8(event.clockOffsetMs);
  rows.int8(event.seq);
  rows.int4(event.version);
  rows.int2(batch.flags[index]!);
  rows.text(event.identity);
  rows.text(batch.project);
  rows.text(event.type);
  rows.text(event.eventId);
  rows.text(event.aggregateId);
  rows.text(event.userId);
  rows.text(event.anonymousId);
  rows.text(event.sessionId);
  rows.text(event.streamId);
  rows.text(event.country);
  rows.text(event.city);
  rows.text(event.device);
  rows.text(event.appVersion);
  rows.numeric(event.revenue);
  rows.text(event.currency);
  rows.jsonb(event.payload);
  rows.jsonb(event.context);
  rows.jsonb(event.metadata);
}
