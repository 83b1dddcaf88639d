// A conflict under an identity of its own: that of its place, so that a second try is a copy of the first.
import { createHash } from "node:crypto";
import { canonical } from "../../shared/event/canonical.ts";
import { flag } from "../../shared/event/event.ts";
import { eventIdIdentity, eventTimeOf, identityHashBytes, writeId } from "../../shared/event/identity.ts";
import { packEvent, unpackEvent } from "../../shared/wire/packed-event.ts";
import type { PackedEvent } from "../../shared/wire/reentry.ts";

/**
 * The event with a new `event_id` made of its place in quarantine; the client's own stays in
 * `context.source_event_id`. Its time stays; it is what the old key says.
 */
export function asNew(event: PackedEvent, project: string, place: string): PackedEvent {
  const fields = unpackEvent(event.bytes);
  const eventId = `quarantine:${place}`;
  const hash = sha256(eventIdIdentity(project, eventId)).subarray(0, identityHashBytes);
  const key = new Uint8Array(16);
  writeId(key, 0, eventTimeOf(event.key), hash);
  const context =
    fields.eventId === null
      ? fields.context
      : canonical({ ...JSON.parse(fields.context), source_event_id: fields.eventId });
  return {
    key,
    hash,
    fingerprint: event.fingerprint,
    // One identity has one time now, and is as strong as an id of the client's.
    flags: event.flags & ~(flag.moved | flag.weak),
    bytes: packEvent({ ...fields, identity: "event_id", eventId, context }),
  };
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
