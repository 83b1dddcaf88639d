// The events a load sends: those of a file, or made up; some late, some bad.
import { eventBytesMax } from "../../../shared/limits.ts";
import type { Source } from "../source/read-source.ts";
import { rewriteTimestamp } from "../source/zone.ts";

/** One event as it goes over the wire. `isBad` was made invalid on purpose and must be quarantined. */
export interface LoadEvent {
  id: string;
  json: string;
  isBad: boolean;
}

export interface LoadShares {
  /** Fractions of the events, 0 to 1. */
  late: number;
  bad: number;
}

/** An event of a file; whatever else it has goes on as it is. */
interface SentEvent {
  event_id?: unknown;
  type?: unknown;
}

const hourMs = 3_600_000;
const lateHoursMax = 48;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Events of a file, each once. What is no JSON object of at most 64 KiB is counted, not sent. */
export async function* fileEvents(
  source: Source,
  run: string,
  shares: LoadShares,
  random: () => number,
  noteUnsendable: () => void,
): AsyncGenerator<LoadEvent> {
  let line = 0;
  for await (const some of source.events()) {
    for (const { bytes, refusal } of some) {
      line += 1;
      const event = refusal === undefined ? readObject(bytes) : undefined;
      if (event === undefined || bytes.length > eventBytesMax) noteUnsendable();
      else yield shaped(event, bytes, `load-${run}-${line}`, shares, random);
    }
  }
}

// The bytes go on as they came wherever nothing is changed, so that numbers keep their digits.
function shaped(
  event: SentEvent,
  bytes: Uint8Array,
  madeUpId: string,
  shares: LoadShares,
  random: () => number,
): LoadEvent {
  const own = event.event_id;
  const id = typeof own === "string" ? own : madeUpId;
  if (random() < shares.bad)
    return { id, json: JSON.stringify(spoilt({ ...event, event_id: id }, random)), isBad: true };
  const hours = random() < shares.late ? 1 + Math.floor(random() * lateHoursMax) : 0;
  const timed = hours === 0 ? bytes : rewriteTimestamp(bytes, (time) => earlier(time, hours));
  const text = decoder.decode(timed);
  return { id, json: own === id ? text : withId(text, id), isBad: false };
}

/** Made-up events of a shop with 10,000 visitors, a few of whom come often. */
export function* syntheticEvents(
  run: string,
  shares: LoadShares,
  random: () => number,
  nowMs: () => number,
): Generator<LoadEvent> {
  for (let number = 1; ; number += 1) {
    const event = syntheticEvent(`load-${run}-${number}`, random, nowMs());
    yield shaped(event, encoder.encode(JSON.stringify(event)), event.event_id, shares, random);
  }
}

const types = ["page_view", "page_view", "page_view", "click", "add_to_cart", "purchase"];
const countries = ["DE", "FR", "GB", "IN", "US"];

function syntheticEvent(
  id: string,
  random: () => number,
  nowMs: number,
): Record<string, unknown> & { event_id: string } {
  const type = types[Math.floor(random() * types.length)]!;
  const user = Math.floor(random() ** 3 * 10_000);
  const price = Math.floor(random() * 10_000) / 100;
  return {
    event_id: id,
    type,
    user_id: `user-${user}`,
    session_id: `session-${user}-${Math.floor(nowMs / hourMs)}`,
    timestamp: new Date(nowMs).toISOString(),
    payload:
      type === "purchase" ? { revenue: price, currency: "USD" } : { path: `/product/${Math.floor(price)}` },
    context: { country: countries[user % countries.length], app_version: `1.${user % 7}` },
  };
}

/** Breaks an event in one of three ways, each of which the front door refuses for itself alone. */
function spoilt(event: Record<string, unknown>, random: () => number): Record<string, unknown> {
  const way = Math.floor(random() * 3);
  if (way === 0) return { ...event, timestamp: "2026-01-01T00:00:00" };
  if (way === 1) return { ...event, payload: "no object" };
  const { type: _, ...rest } = event;
  return rest;
}

function earlier(time: string, hours: number): string {
  const at = Date.parse(time);
  return Number.isNaN(at) ? time : new Date(at - hours * hourMs).toISOString();
}

const withId = (json: string, id: string): string => {
  const rest = json.slice(json.indexOf("{") + 1);
  return `{"event_id":${JSON.stringify(id)}${rest.trim() === "}" ? "" : ","}${rest}`;
};

function readObject(bytes: Uint8Array): SentEvent | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as SentEvent)
      : undefined;
  } catch {
    return undefined;
  }
}
