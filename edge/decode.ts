// Decode: a body's bytes to events, each of which can be shown again exactly as it came.
import { readTime } from "../shared/event/time.ts";
import { eventBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { boundEvents, decodeJson, decodeLines, type Events, largeFault, readUtf8 } from "./decode-json.ts";
import { readMsgpackBody } from "./msgpack-body.ts";
import { isRecord } from "./schema.ts";

export type BodyFormat = "json" | "ndjson" | "msgpack";

/** A body taken apart, with what stands beside its events. */
export interface Decoded extends Events {
  /** When the client says it sent the request, epoch ms. */
  sentAt: number | undefined;
  writeKey: string | undefined;
  /** The client asks that nothing be kept of where it is: neither its address nor what a platform made of that. */
  isPlaceless?: boolean;
  /** A public name that stands for a key where the client sends none: an app id, a website id or a domain. */
  alias?: string | undefined;
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

/** Takes a body apart; `eventsMax` bounds the work. Throws `body_malformed` and `too_many_events`. */
export function decode(body: Uint8Array, format: BodyFormat, eventsMax: number): Decoded {
  if (format === "msgpack") return decodeMsgpack(body, eventsMax);
  const text = readUtf8(body);
  if (format === "ndjson") return { ...decodeLines(text, eventsMax), sentAt: undefined, writeKey: undefined };
  const { members, ...read } = decodeJson(text, "events", eventsMax);
  const { write_key: writeKey, sent_at: sentAt } = members;
  const events = read.isAlone ? [withoutWriteKey(members)] : read.events;
  return {
    ...read,
    events,
    sentAt: readSentAt(read.isAlone ? undefined : sentAt),
    writeKey: typeof writeKey === "string" ? writeKey : undefined,
  };
}

/** An event without the key that stood among its own members, as in a body that is one event. */
export function withoutWriteKey(event: unknown): unknown {
  if (!isRecord(event) || !Object.hasOwn(event, "write_key")) return event;
  const { write_key: _, ...rest } = event;
  return rest;
}

function decodeMsgpack(body: Uint8Array, eventsMax: number): Decoded {
  const read = readMsgpackBody(body, (count) => boundEvents(count, eventsMax));
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

function readSentAt(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const time = typeof value === "string" || typeof value === "number" ? readTime(value) : "timestamp_invalid";
  if (typeof time === "number") return time;
  throw new WeirError(
    "body_malformed",
    "`sent_at` is neither RFC 3339 with an offset nor epoch milliseconds.",
  );
}
