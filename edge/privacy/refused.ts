// What is kept of refused events: the original as it came, but for what the project's policy keeps of none.
import type { ContentKind } from "../../shared/event/policy.ts";
import type { Dialect } from "../dialect/dialect.ts";
import { EventFault } from "../fault.ts";
import type { KeyedEvent } from "../key.ts";
import { isRecord } from "../schema.ts";
import { redact } from "./redact.ts";
import { maskText } from "./scan.ts";
import { isConsented, personNames, type Shield } from "./shield.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Kept of an event of which nothing may be: that it came. */
const nothing = encoder.encode("{}");
const unreadable = encoder.encode(
  '"not kept: it could not be read, and the project\'s policy leaves out or masks content"',
);

/**
 * Changes the refused ones among `keyed`, whose hashes are made: `events` are the values they were decoded
 * to, undefined where that failed.
 */
export function coverRefused(
  keyed: readonly KeyedEvent[],
  events: readonly unknown[],
  dialect: Dialect,
  shield: Shield,
): void {
  for (const [index, one] of keyed.entries()) {
    if (!(one.event instanceof EventFault) || one.original === undefined) continue;
    if (isWithoutConsent(events[index], dialect, shield)) {
      one.original = nothing;
      one.place = undefined;
    } else if (shield.rules.looksInside) {
      // What is malformed within was decoded in part, if at all.
      const value = one.event.code === "event_malformed" ? undefined : events[index];
      one.original = cover(one.original, value, dialect, shield);
      one.event = masked(one.event, shield);
      one.place &&= coverPlace(one.place, nativeOf(value, dialect), shield);
    }
  }
}

type Place = NonNullable<KeyedEvent["place"]>;

// As in an event that is taken: a stream named after its person has their pseudonym, one that holds content none.
function coverPlace(place: Place, native: Native | undefined, shield: Shield): Place | undefined {
  const { pseudonyms } = shield.redactionFor(
    [...personNames].map((name) => native?.[name]),
    personNames,
  );
  const streamId = pseudonyms.get(place.streamId) ?? place.streamId;
  return maskText(streamId, kindsOf(shield)) === streamId ? { ...place, streamId } : undefined;
}

const isWithoutConsent = (value: unknown, dialect: Dialect, { unconsented }: Shield): boolean =>
  unconsented !== undefined && !isConsented(nativeOf(value, dialect)?.["context"]);

// An event that is refused for its content is kept masked, and so is any other under such a policy.
const kindsOf = ({ rules }: Shield) => [...rules.masked, ...rules.forbidden];

function cover(original: Uint8Array, value: unknown, dialect: Dialect, shield: Shield): Uint8Array {
  const kinds = kindsOf(shield);
  try {
    const read = isRecord(value) ? exact(original, value) : parsed(original);
    const whole = isRecord(read) ? (dialect.opened?.(read) ?? read) : read;
    const native = nativeOf(whole, dialect);
    const names = [...personNames].map((name) => dialect.nameOf(name));
    const ids = native
      ? [...personNames].map((name) => native[name])
      : names.map((name) => memberAt(whole, name));
    const idNames = new Set([...personNames, ...names.map((name) => name.split("/").at(-1)!)]);
    const kept = redact(whole, { ...shield.redactionFor(ids, idNames), masked: kinds });
    return kept === whole ? original : encoder.encode(JSON.stringify(kept));
  } catch {
    return coverText(original, kinds, shield);
  }
}

// No JSON: what is looked for by its name cannot be found in it, what is known by its form can, in a text.
function coverText(original: Uint8Array, kinds: readonly ContentKind[], { rules }: Shield): Uint8Array {
  if (rules.denied.size > 0 || rules.pseudonym !== undefined) return unreadable;
  try {
    const text = decoder.decode(original);
    const kept = maskText(text, kinds);
    return kept === text ? original : encoder.encode(kept);
  } catch {
    return unreadable;
  }
}

// Read from its own text where there is one: a number keeps its digits, for which it may have been refused.
function exact(original: Uint8Array, value: unknown): unknown {
  try {
    return parsed(original);
  } catch {
    return value;
  }
}

interface Exact {
  rawJSON?: (text: string) => unknown;
}

function parsed(original: Uint8Array): unknown {
  const raw = (JSON as Exact).rawJSON;
  const keepDigits = (_: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== "number" || context?.source === undefined || raw === undefined) return value;
    return String(value) === context.source ? value : raw(context.source);
  };
  return JSON.parse(decoder.decode(original), keepDigits);
}

type Native = Readonly<Record<string, unknown>>;

function nativeOf(value: unknown, dialect: Dialect): Native | undefined {
  if (!isRecord(value)) return undefined;
  const native = dialect.toNative(value);
  return native instanceof EventFault ? undefined : native;
}

function memberAt(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path.split("/")) at = isRecord(at) ? at[name] : undefined;
  return at;
}

function masked(fault: EventFault, shield: Shield): EventFault {
  const pointer = maskText(fault.pointer, kindsOf(shield));
  return pointer === fault.pointer ? fault : fault.at(pointer);
}
