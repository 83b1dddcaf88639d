// The texts an event's identity and fingerprint are taken over.
import {
  contentIdentity,
  eventIdIdentity,
  type IdentityKind,
  sequenceIdentity,
  windowIdentity,
  windowStart,
} from "../shared/event/identity.ts";
import { identityWindowMs } from "../shared/limits.ts";
import type { Written } from "./fields.ts";
import type { NativeEvent } from "./schema.ts";

export interface IdentityGround {
  project: string;
  /** Epoch ms; there for the kinds `content` and `window`. */
  clientTime: number | undefined;
  /** The payload's RFC 8785 text. */
  payload: string;
  /** For the kind `window`; the usual one where it is absent. */
  window: Window | undefined;
}

/** A window of identity, and the payload's members that tell its events apart: the first one counts. */
export interface Window {
  ms: number;
  discriminators: readonly string[];
}

/** Where no schema names one. */
export const windowDiscriminators: readonly string[] = ["sequence", "session"];

/** Undefined for `arrival`, whose batch is not known yet. The event has what its kind needs. */
export function identityText(
  kind: IdentityKind,
  event: NativeEvent,
  ground: IdentityGround,
): string | undefined {
  const { project, clientTime = 0, payload, window = usualWindow } = ground;
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
      const start = windowStart(clientTime, window.ms);
      const discriminator = discriminatorOf(event, window.discriminators);
      return windowIdentity(project, userId, anonymousId, event.type, start, discriminator);
    }
    case "arrival":
      return undefined;
  }
}

const usualWindow: Window = { ms: identityWindowMs, discriminators: windowDiscriminators };

// What tells events of one window apart, where the client numbers them.
function discriminatorOf(event: NativeEvent, names: readonly string[]): string | number | undefined {
  for (const name of names) {
    const value = event.payload?.[name];
    if (typeof value === "string" || typeof value === "number") return value;
  }
  return undefined;
}

/**
 * What the fingerprint is taken over: the RFC 8785 text of `[[scalars], context, metadata, payload]` as
 * sent, absent ones null or `{}`; `sent_at` differs from copy to copy and is left out. By place and not
 * by name, which halves the text. A field added to events later goes behind these, and only where it is
 * there: the fingerprint of an event without it must never change.
 */
export function fingerprintText(event: NativeEvent, written: Written): string {
  const scalars = [
    event.aggregate_id ?? null,
    event.anonymous_id ?? null,
    event.event_id ?? null,
    event.seq ?? null,
    event.session_id ?? null,
    event.stream_id ?? null,
    event.timestamp ?? null,
    event.type,
    event.user_id ?? null,
    event.version ?? null,
  ];
  return `[${JSON.stringify(scalars)},${written.context},${written.metadata},${written.payload}]`;
}
