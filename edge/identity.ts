// The texts an event's identity and fingerprint are taken over.
import { canonical } from "../shared/event/canonical.ts";
import {
  contentIdentity,
  eventIdIdentity,
  type IdentityKind,
  sequenceIdentity,
  windowIdentity,
  windowStart,
} from "../shared/event/identity.ts";
import type { Written } from "./fields.ts";
import type { NativeEvent } from "./schema.ts";

export interface IdentityGround {
  project: string;
  /** Epoch ms; there for the kinds `content` and `window`. */
  clientTime: number | undefined;
  /** The payload's RFC 8785 text. */
  payload: string;
  windowMs: number;
}

/** Undefined for `arrival`, whose batch is not known yet. The event has what its kind needs. */
export function identityText(
  kind: IdentityKind,
  event: NativeEvent,
  ground: IdentityGround,
): string | undefined {
  const { project, clientTime = 0, payload, windowMs } = ground;
  const userId = event.user_id ?? undefined;
  const anonymousId = event.anonymous_id ?? undefined;
  switch (kind) {
    case "event_id":
      return eventIdIdentity(project, event.event_id ?? "");
    case "sequence":
      return sequenceIdentity(project, event.stream_id ?? "", event.seq ?? 0);
    case "content":
      return contentIdentity(project, userId, anonymousId, event.type, clientTime, payload);
    case "window": {
      const start = windowStart(clientTime, windowMs);
      return windowIdentity(project, userId, anonymousId, event.type, start, discriminatorOf(event));
    }
    case "arrival":
      return undefined;
  }
}

// What tells events of one window apart, where the client numbers them.
function discriminatorOf(event: NativeEvent): string | number | undefined {
  for (const name of ["sequence", "session"]) {
    const value = event.payload?.[name];
    if (typeof value === "string" || typeof value === "number") return value;
  }
  return undefined;
}

// Every field as sent, in the order of RFC 8785, but for `sent_at`, which differs from copy to copy.
const fingerprintFields = [
  "aggregate_id",
  "anonymous_id",
  "context",
  "event_id",
  "metadata",
  "payload",
  "seq",
  "session_id",
  "stream_id",
  "timestamp",
  "type",
  "user_id",
  "version",
] as const;

/** Every field as sent, whatever the identity says already. */
export function fingerprintText(event: NativeEvent, written: Written): string {
  let text = "";
  for (const name of fingerprintFields) {
    const value = event[name];
    if (value === undefined) continue;
    const isWritten = value !== null && (name === "payload" || name === "context" || name === "metadata");
    const member = isWritten ? written[name] : canonical(value);
    text += text === "" ? `{"${name}":${member}` : `,"${name}":${member}`;
  }
  return `${text}}`;
}
