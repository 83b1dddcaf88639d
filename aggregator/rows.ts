// One event as one row of the events table: which columns, in which order, of which type.
import { eventTimeOf, fingerprintBytes } from "../shared/event/identity.ts";
import type { Batch } from "../shared/wire/batch.ts";
import { unpackEvent } from "../shared/wire/packed-event.ts";
import type { CopyBytes } from "./copy-bytes.ts";
import { transcode } from "./transcode.ts";

/** The columns written: those of the batch, then those of the packed event in the order they are packed. */
export const eventColumns = [
  "id",
  "event_time",
  "received_at",
  "fingerprint",
  "flags",
  "project_id",
  "identity",
  "client_time",
  "type",
  "version",
  "event_id",
  "aggregate_id",
  "user_id",
  "anonymous_id",
  "session_id",
  "stream_id",
  "seq",
  "country",
  "city",
  "device",
  "app_version",
  "revenue",
  "currency",
  "payload",
  "context",
  "metadata",
  "clock_offset_ms",
] as const;

/** Their names as SQL lists them; `stored_at` is the transaction's time by default. */
export const eventColumnList: string = eventColumns.join(", ");

/**
 * Writes event `index` of a batch, whose packed bytes lie from `start` to `end` of its bodies, and leaves
 * `rows.mark` where its stream's id begins. Throws, leaving a part of a row behind, where a value is of
 * another kind than its column; the caller puts `rows.at` back and takes the event as unwritable.
 */
export function putRow(rows: CopyBytes, batch: Batch, index: number, start: number, end: number): void {
  rows.row(eventColumns.length);
  rows.raw(batch.ids, index * 16, 16);
  rows.time(eventTimeOf(batch.ids, index * 16));
  rows.time(batch.receivedAt);
  rows.raw(batch.fingerprints, index * fingerprintBytes, fingerprintBytes);
  rows.int2(batch.flags[index]!);
  rows.text(batch.project);
  const { at } = rows;
  if (transcode(rows, batch.bodies, start, end)) return;
  rows.at = at;
  putFields(rows, batch.bodies.subarray(start, end));
}

// The general way for any packing, and the one that names what is wrong.
function putFields(rows: CopyBytes, bytes: Uint8Array): void {
  const event = unpackEvent(bytes);
  rows.text(event.identity);
  rows.time(event.clientTime);
  rows.text(event.type);
  rows.int4(event.version);
  rows.text(event.eventId);
  rows.text(event.aggregateId);
  rows.text(event.userId);
  rows.text(event.anonymousId);
  rows.text(event.sessionId);
  rows.mark = rows.at;
  rows.text(event.streamId);
  rows.int8(event.seq);
  rows.text(event.country);
  rows.text(event.city);
  rows.text(event.device);
  rows.text(event.appVersion);
  rows.numeric(event.revenue);
  rows.text(event.currency);
  rows.jsonb(event.payload);
  rows.jsonb(event.context);
  rows.jsonb(event.metadata);
  rows.int8(event.clockOffsetMs);
}
