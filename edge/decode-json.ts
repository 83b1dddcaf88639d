// JSON texts to events, each of which can be shown again exactly as it came.
import { eventBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { EventFault } from "./fault.ts";
import { eventPlaces, type Place, unfitNumber } from "./json-places.ts";

/** The events of a body. Every event has its place in `events`, the faulty ones too. */
export interface Events {
  events: readonly unknown[];
  /** What decoding found wrong with single events, by index. */
  faults: ReadonlyMap<number, EventFault>;
  /** Whether a string may hold what PostgreSQL cannot, U+0000 or a lone surrogate; false is certain. */
  suspectText: boolean;
  /** The bytes of one event as they came. The first call looks for the places of all of them. */
  original(index: number): Uint8Array;
}

/** A JSON body's events, and the members that stand beside them. */
export interface JsonBody extends Events {
  /** Members of the object around the list, without the list; of a body that is one event, its own. */
  members: Readonly<Record<string, unknown>>;
  /** The body is itself the one event. */
  isAlone: boolean;
}

// A number of fewer than 16 digits and no exponent always survives a double; only others are looked at.
export const suspectNumber = /(?:^|[:,[\s])-?(?:[\d.]{16}|[\d.]+[eE])/;
export const suspectEscape = /\\u(?:0000|[dD][89a-fA-F])/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** A body's text. Throws `body_malformed` where it is no UTF-8. */
export function readUtf8(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw new WeirError("body_malformed", "The body is no UTF-8.");
  }
}

/** Throws `too_many_events`. */
export function boundEvents(count: number, eventsMax: number): void {
  if (count > eventsMax) {
    throw new WeirError("too_many_events", `A request holds at most ${eventsMax} events.`);
  }
}

/**
 * Takes a JSON text apart: an array of events, an object whose member `list` holds them, or one event;
 * without `list` every object is an event. Throws `body_malformed` and `too_many_events`.
 */
export function decodeJson(text: string, list: string | undefined, eventsMax: number): JsonBody {
  const value = parse(text);
  const places = (): readonly Place[] => eventPlaces(text, list);
  if (Array.isArray(value)) {
    return { ...checked(text, value, places, eventsMax), members: {}, isAlone: false };
  }
  if (typeof value !== "object" || value === null) {
    throw new WeirError("body_malformed", "The body is neither an object nor an array.");
  }
  const members = value as Record<string, unknown>;
  if (list === undefined || !Object.hasOwn(members, list)) {
    return { ...checked(text, [members], places, eventsMax), members, isAlone: true };
  }
  const { [list]: events, ...beside } = members;
  if (!Array.isArray(events)) throw new WeirError("body_malformed", `\`${list}\` is no array.`);
  return { ...checked(text, events, places, eventsMax), members: beside, isAlone: false };
}

/** One event a line; an empty line is none, and a line that is no JSON is a faulty event. */
export function decodeLines(text: string, eventsMax: number): Events {
  const events: unknown[] = [];
  const faults = new Map<number, EventFault>();
  const places: Place[] = [];
  for (let start = 0; start < text.length; ) {
    const lineBreak = text.indexOf("\n", start);
    const next = lineBreak === -1 ? text.length : lineBreak + 1;
    const line = text.slice(start, lineBreak === -1 ? text.length : lineBreak).trim();
    if (line !== "") {
      boundEvents(events.length + 1, eventsMax);
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
  return checked(text, events, () => places, eventsMax, faults);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WeirError("body_malformed", "The body is no JSON.");
  }
}

// Looks at each event's own text where its size or one of its numbers may be past what an event may hold.
function checked(
  text: string,
  events: readonly unknown[],
  findPlaces: () => readonly Place[],
  eventsMax: number,
  faults = new Map<number, EventFault>(),
): Events {
  boundEvents(events.length, eventsMax);
  let places: readonly Place[] | undefined;
  const placeOf = (index: number): Place => {
    places ??= findPlaces();
    return places[index]!;
  };
  const checksNumbers = suspectNumber.test(text);
  const checksSizes = text.length * 3 > eventBytesMax;
  for (let index = 0; (checksNumbers || checksSizes) && index < events.length; index += 1) {
    // A line that is no JSON has no numbers, and no end that could be found.
    if (faults.has(index)) continue;
    const [start, end] = placeOf(index);
    const fault = tooLarge(text, start, end) ?? (checksNumbers ? unfit(text, start, end) : undefined);
    if (fault !== undefined) faults.set(index, fault);
  }
  return {
    events,
    faults,
    suspectText: suspectEscape.test(text),
    // The body was valid UTF-8, which has one form only: encoding a slice gives back its very bytes.
    original: (index) => encoder.encode(text.slice(...placeOf(index))),
  };
}

export const largeFault = new EventFault(
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
