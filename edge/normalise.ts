// Normalise: one event as sent to one event ready to travel, or the reason why not. Pure, and synchronous.
import { flag, type NormalisedEvent } from "../shared/event/event.ts";
import { hasFingerprint, type IdentityKind, isWeak, windowStart } from "../shared/event/identity.ts";
import { readTime, resolveTime } from "../shared/event/time.ts";
import { identityWindowMs } from "../shared/limits.ts";
import type { Dialect } from "./dialect/dialect.ts";
import { EventFault, type KnownEvent } from "./fault.ts";
import { fieldsOf, write } from "./fields.ts";
import type { Governed, GovernedTypes } from "./governed.ts";
import { fingerprintText, identityText, type Window, windowDiscriminators } from "./identity.ts";
import { type Money, moneyOf } from "./money.ts";
import { type Shield, shield } from "./privacy/shield.ts";
import { checkShape, isRecord, type NativeEvent } from "./schema.ts";
import { storable } from "./text.ts";

/** What a whole request says about each of its events. Times are epoch ms. */
export interface Circumstances {
  project: string;
  dialect: Dialect;
  /** Overrides the dialect's choice of identity; events that cannot have it are refused. */
  identity: IdentityKind | undefined;
  historical: boolean;
  receivedAt: number;
  sentAt: number | undefined;
  /** False where no text of the request can hold what the store cannot. */
  suspectText: boolean;
  /** Put into the context where the client gave none. */
  requestId: string | undefined;
  traceId: string | undefined;
  /** What the project's policy does with the event once its identity is made; nothing where it is absent. */
  shield?: Shield | undefined;
  /** The project's governed types; absent where it has none. */
  governed?: GovernedTypes | undefined;
}

/** One event normalised, or refused with a pointer in the client's own names. */
export function normalise(value: unknown, given: Circumstances): NormalisedEvent | EventFault {
  if (!isRecord(value)) return new EventFault("invalid_type", "", "An event must be an object.");
  const mapped = given.dialect.toNative(value);
  if (mapped instanceof EventFault) return mapped;
  const fault = checkShape(mapped);
  const outcome = fault ?? normaliseNative(mapped as NativeEvent, given, given.dialect.ageMsOf?.(value));
  return outcome instanceof EventFault ? named(outcome, given.dialect, value) : outcome;
}

/** The client's own id of an event as sent, whatever it is. */
export const eventIdOf = (value: Readonly<Record<string, unknown>>, dialect: Dialect): unknown =>
  dialect.eventIdOf === undefined ? value[dialect.nameOf("event_id")] : dialect.eventIdOf(value);

function normaliseNative(
  event: NativeEvent,
  given: Circumstances,
  ageMs: number | undefined,
): NormalisedEvent | EventFault {
  const clientTime = timeOf(event.timestamp, "/timestamp");
  if (clientTime instanceof EventFault) return clientTime;
  const ownSentAt = timeOf(event.sent_at, "/sent_at");
  if (ownSentAt instanceof EventFault) return ownSentAt;
  const sentAt = ownSentAt ?? given.sentAt;
  const governed = given.governed?.find(event.type, event.version ?? 1);
  if (governed === "unknown") return versionUnknown;
  const window = windowOf(given.dialect, governed);
  const kind = identityOf(event, clientTime, given.identity ?? (window === undefined ? undefined : "window"));
  if (kind instanceof EventFault) return kind;
  const money = moneyOf(event);
  if (money instanceof EventFault) return money;
  const { receivedAt, historical } = given;
  const resolved = resolveTime({ clientTime, ageMs, sentAt, receivedAt, historical });
  if (typeof resolved === "string") return new EventFault(resolved, "/timestamp", timeDetails[resolved]);

  const isSuspect = given.suspectText || given.dialect.opened !== undefined;
  const storableEvent = isSuspect ? (storable(event) as NativeEvent) : event;
  const written = write(event);
  const ground = { project: given.project, clientTime, payload: written.payload, window };
  const known: KnownEvent = {
    identityText: identityText(kind, event, ground),
    fingerprintText: hasFingerprint(kind)
      ? fingerprintText(settled(event, given.dialect), written)
      : undefined,
    flags:
      (isWeak(kind) ? flag.weak : 0) |
      (resolved.moved ? flag.moved : 0) |
      (storableEvent === event ? 0 : flag.textReplaced) |
      (historical ? flag.historical : 0) |
      (given.shield?.isBot ? flag.bot : 0),
  };
  const violation = governed?.fault(event.payload ?? {});
  if (violation !== undefined) {
    return new EventFault(violation.code, violation.pointer, violation.detail, known);
  }
  const kept = given.shield
    ? shield(storableEvent, written, given.shield)
    : { event: storableEvent, isRedacted: false };
  if (kept instanceof EventFault) {
    return new EventFault(kept.code, kept.pointer, kept.detail, known);
  }
  const stored = kept.event;
  return {
    identity: kind,
    identityText: known.identityText,
    fingerprintText: known.fingerprintText,
    flags: known.flags | (kept.isRedacted ? flag.redacted : 0),
    eventTime:
      kind === "window"
        ? windowStart(resolved.eventTime, window?.ms ?? identityWindowMs)
        : resolved.eventTime,
    fields: fieldsOf(kind, clientTime, stored, stored === event ? written : write(stored), {
      ...(kept.isRedacted ? moneyLeft(stored) : money),
      clockOffsetMs: sentAt === undefined ? null : receivedAt - sentAt,
      given,
    }),
  };
}

// What was left out of a payload is not kept as revenue either.
function moneyLeft(event: NativeEvent): Money {
  const money = moneyOf(event);
  return money instanceof EventFault ? { revenue: null, currency: null } : money;
}

function settled(event: NativeEvent, { unsettled }: Dialect): NativeEvent {
  if (unsettled === undefined) return event;
  return { ...event, ...Object.fromEntries(unsettled.map((field) => [field, null])) };
}

const timeDetails = {
  time_too_old: "The time lies further back than events of this key may.",
  time_ahead: "The time lies ahead of the edge's clock.",
  timestamp_invalid: "It must be RFC 3339 with an offset, or epoch milliseconds.",
  timestamp_without_offset: "The time has neither `Z` nor an offset, so its zone would be a guess.",
} as const;

function timeOf(value: string | number | null | undefined, pointer: string): number | undefined | EventFault {
  if (value === undefined || value === null) return undefined;
  const time = readTime(value);
  return typeof time === "number" ? time : new EventFault(time, pointer, timeDetails[time]);
}

const versionUnknown = new EventFault(
  "version_unknown",
  "/version",
  "The project governs this type and has not declared this version of it.",
);

// What a type's own schema says goes before what the client's format says.
function windowOf({ identity }: Dialect, governed: Governed | undefined): Window | undefined {
  if (governed?.window !== undefined) {
    const { ms, discriminator } = governed.window;
    return { ms, discriminators: discriminator === undefined ? [] : [discriminator] };
  }
  return identity === "native" ? undefined : { ms: identity.windowMs, discriminators: windowDiscriminators };
}

// The first identity that applies, or the one that was asked for, where the event has what it needs.
function identityOf(
  event: NativeEvent,
  clientTime: number | undefined,
  asked: IdentityKind | undefined,
): IdentityKind | EventFault {
  if (asked === undefined) {
    if (typeof event.event_id === "string") return "event_id";
    if (typeof event.stream_id === "string" && typeof event.seq === "number") return "sequence";
    return clientTime === undefined ? "arrival" : "content";
  }
  const lacks =
    asked === "event_id" && typeof event.event_id !== "string"
      ? "event_id"
      : (asked === "content" || asked === "window") && clientTime === undefined
        ? "timestamp"
        : asked === "sequence" && typeof event.stream_id !== "string"
          ? "stream_id"
          : asked === "sequence" && typeof event.seq !== "number"
            ? "seq"
            : undefined;
  if (lacks === undefined) return asked;
  return new EventFault("missing_field", `/${lacks}`, `The identity \`${asked}\` needs the field.`);
}

function named(fault: EventFault, dialect: Dialect, value: Readonly<Record<string, unknown>>): EventFault {
  const [, first = "", ...rest] = fault.pointer.split("/");
  const name = dialect.nameOf(first, value);
  if (name === first) return fault;
  return fault.at(["", name, ...rest].join("/"));
}
