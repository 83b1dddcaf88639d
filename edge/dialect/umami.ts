// Umami's wire format: a kind and a payload; its server makes up visitors, and most events have no time.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { idOf, members } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;

const kinds: readonly unknown[] = ["event", "identify", "performance"];
const measures = ["lcp", "inp", "cls", "fcp", "ttfb"];

export const umami: Dialect = {
  name: "umami",
  toNative,
  identity: "native",
  nameOf(field, value = {}) {
    if (field === "type")
      return isRecord(value["payload"]) && value["type"] === "event" ? "payload/name" : "type";
    return names[field] ?? field;
  },
  // The payload has an id too, but that is the person's.
  eventIdOf: () => undefined,
};

const names: Readonly<Record<string, string>> = {
  user_id: "payload/id",
  timestamp: "payload/timestamp",
  payload: "payload/data",
};

function toNative(value: Value): Value | EventFault {
  const { type: kind, payload: said, ...beside } = value;
  if (!kinds.includes(kind)) {
    return new EventFault("invalid_value", "/type", "It must be one of event, identify and performance.");
  }
  if (!isRecord(said)) return new EventFault("invalid_type", "/payload", "It must be an object.");
  const { data, name, url, title, referrer, id, timestamp, ...context } = said;
  if (data !== undefined && data !== null && !isRecord(data)) {
    return new EventFault("invalid_type", "/payload/data", "It must be an object.");
  }
  const page = members({ url, title, referrer });
  const isView = kind === "event" && (name === undefined || name === null || name === "");
  const own = kind === "performance" ? measuresOf(context) : {};
  return {
    type: isView ? "page_view" : kind === "event" ? name : kind,
    user_id: idOf(id),
    timestamp: epochMsOf(timestamp),
    payload: { ...data, ...own, ...(isView ? page : {}) },
    context: {
      ...beside,
      ...context,
      ...(isView ? {} : { page: kind === "event" ? page : members({ ...page, name }) }),
      source_type: isView ? "pageview" : kind,
    },
  };
}

// Takes them out of what becomes the context.
function measuresOf(context: Record<string, unknown>): Value {
  const found: Record<string, unknown> = {};
  for (const measure of measures) {
    if (context[measure] === undefined) continue;
    found[measure] = context[measure];
    delete context[measure];
  }
  return found;
}

// Seconds; as whole milliseconds, since a fraction of one would be cut.
const epochMsOf = (seconds: unknown): unknown =>
  typeof seconds === "number" ? Math.round(seconds * 1_000) : seconds;
