// Segment's wire format: six kinds of call, each one event of ours.
import { readTime } from "../../shared/event/time.ts";
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";

/** The kinds of call; `type` in the event names one, or the path does. */
export const segmentKinds = ["track", "page", "screen", "identify", "group", "alias"] as const;
export type SegmentKind = (typeof segmentKinds)[number];

type Value = Readonly<Record<string, unknown>>;

const typeOf: Readonly<Record<Exclude<SegmentKind, "track">, string>> = {
  page: "page_view",
  screen: "screen_view",
  identify: "identify",
  group: "group",
  alias: "alias",
};

// Members with a place of their own, and those that say how and when an event travelled, which differ from
// copy to copy.
const placed = new Set(["type", "messageId", "userId", "anonymousId", "context", "_metadata"]);
const travelling = new Set([
  "timestamp",
  "originalTimestamp",
  "sentAt",
  "receivedAt",
  "writeKey",
  "projectId",
]);

/**
 * Segment's events. `kind` is what the path says of events that do not say it themselves; such a dialect has
 * a name of its own, so that an event that was refused can come back without its path.
 */
export function segmentDialect(kind?: SegmentKind): Dialect {
  return {
    name: kind === undefined ? "segment" : `segment-${kind}`,
    toNative: (value) => toNative(value, kind),
    nameOf: (field, value = {}) => nameOf(field, value, kind),
    identity: "native",
    eventIdOf: (value) => idOf(value["messageId"]),
    // A browser fills in whoever is known at the time of sending, so a retry may name a user its first try did not.
    unsettled: ["user_id", "anonymous_id"],
  };
}

function toNative(value: Value, fallback: SegmentKind | undefined): Value | EventFault {
  const kind = kindOf(value, fallback);
  if (kind === undefined) return unknownKind(value);
  const content = contentName(kind);
  const fault = wrongShape(value, content) ?? wrongShape(value, "context") ?? wrongShape(value, "_metadata");
  if (fault !== undefined) return fault;
  const payload = new Map(Object.entries((value[content] ?? {}) as Value));
  const metadata = new Map<string, unknown>();
  const own = new Set([content, ...ownNames[kind]]);
  for (const [name, member] of Object.entries(value)) {
    if (placed.has(name) || travelling.has(name) || own.has(name)) continue;
    metadata.set(name, member);
  }
  // A page's name and category stand beside its properties, and mostly among them too.
  if (kind === "page" || kind === "screen") {
    for (const name of ["name", "category"]) {
      const member = value[name];
      if (member === undefined || member === null || payload.get(name) === member) continue;
      (payload.has(name) ? metadata : payload).set(name, member);
    }
  }
  const anonymousId = idOf(value["anonymousId"]);
  const previousId = idOf(value["previousId"]);
  if (kind === "alias" && anonymousId !== undefined && anonymousId !== previousId) {
    metadata.set("anonymousId", anonymousId);
  }
  const sent = settledMetadata(value["_metadata"]);
  if (sent !== undefined) metadata.set("_metadata", sent);
  return {
    event_id: idOf(value["messageId"]),
    type: kind === "track" ? value["event"] : typeOf[kind],
    user_id: idOf(value["userId"]),
    anonymous_id: kind === "alias" ? previousId : anonymousId,
    aggregate_id: kind === "group" ? idOf(value["groupId"]) : undefined,
    timestamp: value["originalTimestamp"] ?? value["timestamp"],
    sent_at: sentAtOf(value),
    payload: Object.fromEntries(payload),
    context: contextOf(value["context"] as Value | null | undefined, kind),
    metadata: metadata.size === 0 ? undefined : Object.fromEntries(metadata),
  };
}

const ownNames: Readonly<Record<SegmentKind, readonly string[]>> = {
  track: ["event"],
  page: ["name", "category"],
  screen: ["name", "category"],
  identify: [],
  group: ["groupId"],
  alias: ["previousId"],
};

const isKind = (kind: unknown): kind is SegmentKind => segmentKinds.includes(kind as SegmentKind);

function kindOf(value: Value, fallback: SegmentKind | undefined): SegmentKind | undefined {
  const named = value["type"] ?? fallback;
  return isKind(named) ? named : undefined;
}

function unknownKind(value: Value): EventFault {
  const type = value["type"];
  if (type === undefined || type === null) {
    return new EventFault("missing_field", "/type", "The event does not say what kind of call it is.");
  }
  if (typeof type !== "string") return new EventFault("invalid_type", "/type", "It must be text.");
  return new EventFault("invalid_value", "/type", `It must be one of ${segmentKinds.join(", ")}.`);
}

const contentName = (kind: SegmentKind): "traits" | "properties" =>
  kind === "identify" || kind === "group" ? "traits" : "properties";

function wrongShape(value: Value, name: string): EventFault | undefined {
  const member = value[name];
  if (member === undefined || member === null || isRecord(member)) return undefined;
  return new EventFault("invalid_type", `/${name}`, "It must be an object.");
}

// Some clients send numbers for ids, and null or an empty text for none.
function idOf(id: unknown): unknown {
  if (typeof id === "number" && Number.isFinite(id)) return String(id);
  return id === "" || id === null ? undefined : id;
}

// How often an event was tried, and what had failed to load by then, differ from try to try.
function settledMetadata(value: unknown): Value | undefined {
  if (!isRecord(value)) return undefined;
  const { retryCount: _, failedInitializations: __, ...rest } = value;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

/** A time of sending that can be read. What cannot says nothing of the event, and is passed over. */
export function readableTime(value: unknown): string | number | undefined {
  const isTime = typeof value === "string" || typeof value === "number";
  return isTime && typeof readTime(value) === "number" ? value : undefined;
}

// An event that Segment has received before comes out of an export: its time of sending was to Segment.
const sentAtOf = (value: Value): unknown =>
  value["receivedAt"] === undefined ? readableTime(value["sentAt"]) : undefined;

// Ours are plain: where Segment has an object under a name of ours, its one telling member goes there.
function contextOf(given: Value | null | undefined, kind: SegmentKind): Value {
  const context = new Map(Object.entries(given ?? {}));
  const lift = (name: string, from: string, member: string): void => {
    const group = context.get(from);
    const found = isRecord(group) ? group[member] : undefined;
    if (context.get(name) === undefined && typeof found === "string") context.set(name, found);
  };
  const device = context.get("device");
  if (isRecord(device)) {
    context.delete("device");
    context.set("device_details", device);
  }
  lift("device", "device_details", "type");
  lift("app_version", "app", "version");
  lift("country", "location", "country");
  lift("city", "location", "city");
  context.set("source_type", kind);
  return Object.fromEntries(context);
}

const names: Readonly<Record<string, string>> = {
  event_id: "messageId",
  user_id: "userId",
  aggregate_id: "groupId",
  sent_at: "sentAt",
};

function nameOf(field: string, value: Value, fallback: SegmentKind | undefined): string {
  const kind = kindOf(value, fallback);
  switch (field) {
    case "type":
      return kind === "track" ? "event" : "type";
    case "anonymous_id":
      return kind === "alias" ? "previousId" : "anonymousId";
    case "timestamp":
      return (value["originalTimestamp"] ?? undefined) === undefined ? "timestamp" : "originalTimestamp";
    case "payload":
      return kind === undefined ? "properties" : contentName(kind);
    default:
      return names[field] ?? field;
  }
}
