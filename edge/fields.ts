// The fields an event is stored with.
import { canonical } from "../shared/event/canonical.ts";
import type { EventFields } from "../shared/event/event.ts";
import type { IdentityKind } from "../shared/event/identity.ts";
import type { Money } from "./money.ts";
import type { Circumstances } from "./normalise.ts";
import type { NativeEvent } from "./schema.ts";

/** The RFC 8785 texts of an event's three objects; an absent one is `{}`. */
export interface Written {
  payload: string;
  context: string;
  metadata: string;
}

export const write = (event: NativeEvent): Written => ({
  payload: event.payload ? canonical(event.payload) : "{}",
  context: event.context ? canonical(event.context) : "{}",
  metadata: event.metadata ? canonical(event.metadata) : "{}",
});

/** What the fields need beside the event itself. */
interface Beside extends Money {
  clockOffsetMs: number | null;
  given: Circumstances;
}

/** An event's fields, its objects written as texts before. */
export function fieldsOf(
  identity: IdentityKind,
  clientTime: number | undefined,
  event: NativeEvent,
  written: Written,
  beside: Beside,
): EventFields {
  const context = event.context;
  const facts = beside.given.shield?.client.facts(context);
  return {
    identity,
    clientTime: clientTime ?? null,
    type: event.type,
    version: event.version ?? 1,
    eventId: event.event_id ?? null,
    aggregateId: event.aggregate_id ?? null,
    userId: event.user_id ?? null,
    anonymousId: event.anonymous_id ?? null,
    sessionId: event.session_id ?? null,
    streamId: event.stream_id ?? null,
    seq: event.seq ?? null,
    country: context?.country ?? facts?.country ?? null,
    city: context?.city ?? facts?.city ?? null,
    device: context?.device ?? facts?.device ?? null,
    appVersion: context?.app_version ?? null,
    revenue: beside.revenue,
    currency: beside.currency,
    payload: written.payload,
    context: traced(written.context, context, beside.given, facts?.members ?? ""),
    metadata: written.metadata,
    clockOffsetMs: beside.clockOffsetMs,
  };
}

// Puts what the request itself says behind the client's members, where the client gave none of its own.
function traced(text: string, context: NativeEvent["context"], given: Circumstances, facts: string): string {
  const { requestId, traceId } = given;
  let own = facts;
  const add = (member: string): void => {
    own = own === "" ? member : `${own},${member}`;
  };
  if (requestId !== undefined && context?.["request_id"] === undefined) add(`"request_id":"${requestId}"`);
  if (traceId !== undefined && context?.["trace_id"] === undefined) add(`"trace_id":"${traceId}"`);
  if (own === "") return text;
  return text === "{}" ? `{${own}}` : `${text.slice(0, -1)},${own}}`;
}
