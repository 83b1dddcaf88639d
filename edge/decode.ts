// Decode: a body's bytes to events, each of which can be shown again exactly as it came.
import { readTime } from "../shared/event/time.ts";
import { eventBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { EventFault } from "./fault.ts";
import { eventPlaces, type Place, unfitNumber } from "./json-places.ts";
import { readMsgpackBody } from "./msgpack-body.ts";

export type BodyFormat = "json" | "ndjson" | "msgpack";

/** A body taken apart. Every event has its place in `events`, the faulty ones too. */
export interface Decoded {
  events: readonly unknown[];
  /** What decoding found wrong with single events, by index. */
  faults: ReadonlyMap<number, EventFault>;
  /** Whether a string may hold what PostgreSQL cannot, U+0000 or a lone surrogate; false is certain. */
  suspectText: boolean;
  /** The bytes of one event as they came. The first call looks for the places of all of them. */
  original(index: number): Uint8Array;
  /** When the client says it sent the request, epoch ms. */
  sentAt: number | undefined;
  writeKey: string | undefined;
}

const formats: Readonly<Record<string, BodyFormat>> = {
  "application/json": "json",
  "text/plain": "json",
  "application/x-ndjson": "ndjson",
  "application/ndjson": "ndjson",
  "application/msgpack": "msgpack",
  "application/x-msgpack": "msgpack",
};

/** The format a Content-Type names; none is taken as JSON. Throws `unsupported_media_type`. */
export function formatOf(contentType: string | null): BodyFormat {
  const type = (contentType ?? "").replace(/;.*/s, "").trim().toLowerCase();
  const format = type === "" ? "json" : formats[type];
  if (format !== undefined) return format;
  throw new WeirError(
    "unsupported_media_type",
    "Send application/json, application/x-ndjson, application/msgpack or text/plain.",
  );
}

// A number of fewer than 16 digits and no exponent always survives a double; only others are looked at.
export const suspectNumber = /[:,[\s]-?(?:[\d.]{16}|[\d.]+[eE])/;
export const suspectEscape = /\\u(?:0000|[dD][89a-fA-F])/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Takes a body apart; `eventsMax` bounds the work. Throws `body_malformed` and `too_many_events`. */
export function decode(body: Uint8Array, format: BodyFormat, eventsMax: number): Decoded {
  if (format === "msgpack") return decodeMsgpack(body, eventsMax);
  const text = readUtf8(body);
  const read = format === "ndjson" ? readLines(text, eventsMax) : readJson(text);
  bound(read.events.length, eventsMax);
  let places: readonly Place[] | undefined;
  const placeOf = (index: number): Place => {
    places ??= read.places();
    return places[index]!;
  };
  const checksNumbers = suspectNumber.test(text);
  const checksSizes = body.length > eventBytesMax;
  for (let index = 0; (checksNumbers || checksSizes) && index < read.events.length; index += 1) {
    // A line that is no JSON has no numbers, and no end that could be found.
    if (read.faults.has(index)) continue;
    const [start, end] = placeOf(index);
    const fault = tooLarge(text, start, end) ?? (checksNumbers ? unfit(text, start, end) : undefined);
    if (fault !== undefined) read.faults.set(index, fault);
  }
  return {
    events: read.events,
    faults: read.faults,
    suspectText: suspectEscape.test(text),
    // The body was valid UTF-8, which has one form only: encoding a slice gives back its very bytes.
    original: (index) => encoder.encode(text.slice(...placeOf(index))),
    sentAt: readSentAt(read.sentAt),
    writeKey: typeof read.writeKey === "string" ? read.writeKey : undefined,
  };
}

interface Read {
  events: unknown[];
  faults: Map<number, EventFault>;
  places(): readonly Place[];
  sentAt?: unknown;
  writeKey?: unknown;
}

function readJson(text: string): Read {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WeirError("body_malformed", "The body is no JSON.");
  }
  const faults = new Map<number, EventFault>();
  const places = (): readonly Place[] => eventPlaces(text);
  if (Array.isArray(value)) return { events: value, faults, places };
  if (typeof value !== "object" || value === null) {
    throw new WeirError("body_malformed", "The body is neither an object nor an array.");
  }
  const { write_key: writeKey, ...rest } = value as Record<string, unknown>;
  if (!Object.hasOwn(rest, "events")) {
    return { events: [writeKey === undefined ? value : rest], faults, places, writeKey };
  }
  if (!Array.isArray(rest["events"])) throw new WeirError("body_malformed", "`events` is no array.");
  return { events: rest["events"], faults, places, sentAt: rest["sent_at"], writeKey };
}

function readLines(text: string, eventsMax: number): Read {
  const events: unknown[] = [];
  const faults = new Map<number, EventFault>();
  const places: Place[] = [];
  for (let start = 0; start < text.length; ) {
    const lineBreak = text.indexOf("\n", start);
    const next = lineBreak === -1 ? text.length : lineBreak + 1;
    const line = text.slice(start, lineBreak === -1 ? text.length : lineBreak).trim();
    if (line !== "") {
      bound(events.length + 1, eventsMax);
      const at = text.indexOf(line, start);
      places.push([at, at + line.length]);
      try {
        events.push(JSON.parse(line));
      } catch {
        faults.set(events.length, new EventFault("event_malformed", "", "The line is no JSON."));
        events.push(undefined);
      }
    }
    start = next;
  }
  return { events, faults, places: () => places };
}

function decodeMsgpack(body: Uint8Array, eventsMax: number): Decoded {
  const read = readMsgpackBody(body, (count) => bound(count, eventsMax));
  for (let index = 0; index < read.places.length; index += 1) {
    const [start, end] = read.places[index]!;
    if (end - start > eventBytesMax) read.faults.set(index, largeFault);
  }
  return {
    events: read.events,
    faults: read.faults,
    suspectText: true,
    original: (index) => body.slice(...read.places[index]!),
    sentAt: readSentAt(read.sentAt),
    writeKey: typeof read.writeKey === "string" ? read.writeKey : undefined,
  };
}

function readUtf8(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw new WeirError("body_malformed", "The body is no UTF-8.");
  }
}

function bound(count: number, eventsMax: number): void {
  if (count > eventsMax) {
    throw new WeirError("too_many_events", `A request holds at most ${eventsMax} events.`);
  }
}

const largeFault = new EventFault(
  "event_too_large",
  "",
  `An event holds at most ${eventBytesMax} bytes; keep larger content elsewhere and send a reference to it.`,
);

function tooLarge(text: string, start: number, end: number): EventFault | undefined {
  if ((end - start) * 3 <= eventBytesMax) return undefined;
  const bytes = end - start > eventBytesMax || encoder.encode(text.slice(start, end)).length > eventBytesMax;
  return bytes ? largeFault : undefined;
}

function unfit(text: string, start: number, end: number): EventFault | undefined {
  const pointer = unfitNumber(text, start, end);
  return pointer === undefined
    ? undefined
    : new EventFault(
        "number_not_representable",
        pointer,
        "The number does not survive a double; send it as text.",
      );
}

function readSentAt(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const time = typeof value === "string" || typeof value === "number" ? readTime(value) : "timestamp_invalid";
  if (typeof time === "number") return time;
  throw new WeirError(
    "body_malformed",
    "`sent_at` is neither RFC 3339 with an offset nor epoch milliseconds.",
  );
}
