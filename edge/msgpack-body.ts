// A client's msgpack body, read by ourselves: a general codec recurses without bound, widens 64-bit integers,
// renames `__proto__`, and cannot say where an event began. https://github.com/msgpack/msgpack/blob/master/spec.md
import { nestingMax } from "../shared/limits.ts";
import { EventFault } from "./fault.ts";
import type { Place } from "./json-places.ts";
import { type Head, malformed, readHead, readScalar, skip } from "./msgpack-head.ts";
import { escapePointer, survivesDouble } from "./number.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface MsgpackBody {
  events: unknown[];
  faults: Map<number, EventFault>;
  /** Byte places of the events. */
  places: Place[];
  sentAt: unknown;
  writeKey: unknown;
}

/**
 * Takes a body apart; `count` is told how many events there are before any is read. Throws
 * `body_malformed` where the bytes end early, go on after the value, or hold no events.
 */
export function readMsgpackBody(body: Uint8Array, count: (events: number) => void): MsgpackBody {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (skip(view, 0) !== body.length) throw malformed("The body goes on after its msgpack value.");
  const top = readHead(view, 0);
  const read: MsgpackBody = {
    events: [],
    faults: new Map(),
    places: [],
    sentAt: undefined,
    writeKey: undefined,
  };
  let array: Head | undefined = top.kind === "array" ? top : undefined;
  if (top.kind === "map") array = readEnvelope(view, top, read);
  else if (array === undefined) throw malformed("The body is neither a map nor an array.");
  if (array !== undefined) {
    count(array.size);
    for (let at = array.at, index = 0; index < array.size; index += 1) {
      const end = skip(view, at);
      read.places.push([at, end]);
      at = end;
    }
  } else read.places.push([0, body.length]);
  for (const [index, [start]] of read.places.entries()) {
    const reader = createReader(view, start);
    const event = reader.value();
    if (reader.fault !== undefined) read.faults.set(index, reader.fault);
    if (array === undefined && isRecord(event)) delete event["write_key"];
    read.events.push(event);
  }
  return read;
}

// Finds `events`, and reads what travels beside it. No `events` means that the map itself is the event.
function readEnvelope(view: DataView, top: Head, read: MsgpackBody): Head | undefined {
  let events: Head | undefined;
  for (let at = top.at, member = 0; member < top.size; member += 1) {
    const key = createReader(view, at).value();
    const valueAt = skip(view, at);
    const head = readHead(view, valueAt);
    if (key === "events") events = head;
    else if (key === "sent_at" && head.kind !== "map") read.sentAt = createReader(view, valueAt).value();
    else if (key === "write_key" && head.kind === "text") read.writeKey = createReader(view, valueAt).value();
    at = skip(view, valueAt);
  }
  if (events === undefined) read.sentAt = undefined;
  else if (events.kind !== "array") throw malformed("`events` is no array.");
  return events;
}

interface Reader {
  value(): unknown;
  fault: EventFault | undefined;
}

// Reads one value as JSON would give it. Recursion goes no deeper than an event may nest; after a fault
// nothing further is read.
function createReader(view: DataView, start: number): Reader {
  const path: (string | number)[] = [];
  let at = start;
  const reader: Reader = { fault: undefined, value };
  return reader;

  function refuse(code: EventFault["code"], detail: string): null {
    const pointer = path.map((key) => `/${typeof key === "number" ? key : escapePointer(key)}`).join("");
    reader.fault ??= new EventFault(code, code === "nesting_too_deep" ? "" : pointer, detail);
    return null;
  }

  function value(): unknown {
    const head = readHead(view, at);
    const type = view.getUint8(at);
    at = head.at;
    if (head.kind === "array" || head.kind === "map") {
      if (path.length >= nestingMax)
        return refuse("nesting_too_deep", `An event nests at most ${nestingMax} levels.`);
      return head.kind === "array" ? list(head.size) : members(head.size);
    }
    at += head.size;
    if (head.kind === "text") return text(head);
    if (head.kind === "binary")
      return refuse("invalid_type", "Binary and extension values have no form in JSON.");
    return scalar(view, type, head);
  }

  function scalar(from: DataView, type: number, head: Head): unknown {
    const read = readScalar(from, type, head.at);
    if (typeof read === "bigint") {
      return survivesDouble(String(read)) ? Number(read) : refuse("number_not_representable", unfitDetail);
    }
    return typeof read !== "number" || Number.isFinite(read)
      ? read
      : refuse("number_not_representable", unfitDetail);
  }

  function text(head: Head): string | null {
    try {
      return decoder.decode(new Uint8Array(view.buffer, view.byteOffset + head.at, head.size));
    } catch {
      return refuse("event_malformed", "The text is no UTF-8.");
    }
  }

  function list(size: number): unknown[] {
    const items: unknown[] = [];
    path.push(0);
    for (let index = 0; index < size && reader.fault === undefined; index += 1) {
      path[path.length - 1] = index;
      items.push(value());
    }
    path.pop();
    return items;
  }

  function members(size: number): Record<string, unknown> {
    const record: Record<string, unknown> = {};
    for (let member = 0; member < size && reader.fault === undefined; member += 1) {
      const key = readHead(view, at).kind === "text" ? (value() as string | null) : undefined;
      if (key === undefined) refuse("invalid_type", "The keys of a map must be text.");
      if (typeof key !== "string" || reader.fault !== undefined) break;
      path.push(key);
      // Assigning `__proto__` would set the prototype; defining it keeps it as the plain key it is.
      Object.defineProperty(record, key, {
        value: value(),
        writable: true,
        enumerable: true,
        configurable: true,
      });
      path.pop();
    }
    return record;
  }
}

const unfitDetail = "The number does not survive a double; send it as text.";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
