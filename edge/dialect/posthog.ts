// PostHog's wire format: one shape for every event, its own properties told apart by a leading `$`.
import { suspectNumber } from "../decode-json.ts";
import { EventFault } from "../fault.ts";
import { unfitNumber } from "../json-places.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { type People, peopleOf, readId } from "./posthog-people.ts";

type Value = Readonly<Record<string, unknown>>;

export const posthog: Dialect = {
  name: "posthog",
  toNative,
  nameOf: (field, value = {}) => nameOf(field, value),
  identity: "native",
  eventIdOf,
  ageMsOf(value) {
    const offset = value["offset"];
    const isAge = typeof offset === "number" && Number.isFinite(offset) && offset >= 0;
    return isAge ? Math.round(offset) : undefined;
  },
};

// Events that every client calls alike get our names; the client's own stays in the context.
const renamed: ReadonlyMap<unknown, string> = new Map([
  ["$pageview", "page_view"],
  ["$screen", "screen_view"],
  ["$identify", "identify"],
  ["$create_alias", "alias"],
  ["$merge_dangerously", "alias"],
  ["$groupidentify", "group"],
]);

// Members with a place of their own; `offset` and `sent_at` tell when an event travelled, and a token whose it is.
const placed = new Set([
  ...["uuid", "event", "distinct_id", "$distinct_id", "properties", "timestamp", "$set", "$set_once"],
  ...["offset", "sent_at", "api_key", "token", "$token", "ip"],
]);
const tokens = new Set(["token", "api_key"]);

function toNative(value: Value): Value | EventFault {
  const properties = propertiesOf(value);
  if (properties instanceof EventFault) return properties;
  const name = value["event"];
  const type = renamed.get(name);
  const people = peopleOf(value, properties);
  const content = traitsOf(value, properties);
  const { payload, context } = parted(properties, people, content === undefined ? undefined : content.from);
  if (type !== undefined) context.set("source_type", name);
  if ((value["ip"] ?? undefined) !== undefined) context.set("ip", value["ip"]);
  const metadata = Object.entries(value).filter(([member]) => !placed.has(member));
  return {
    event_id: eventIdOf(value),
    type: type ?? name,
    ...people.named,
    aggregate_id: type === "group" ? readId(properties["$group_key"]) : undefined,
    session_id: readId(properties["$session_id"]),
    timestamp: timeOf(value, properties),
    payload: { ...Object.fromEntries(payload), ...content?.traits },
    context: Object.fromEntries(withSets(context, value, properties, content !== undefined)),
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata),
  };
}

const notObject = new EventFault("invalid_type", "/properties", "It must be an object.");

// Exports hold them as a JSON text, whose numbers nobody has looked at before.
function propertiesOf(value: Value): Value | EventFault {
  const given = value["properties"] ?? {};
  if (isRecord(given)) return given;
  if (typeof given !== "string") return notObject;
  let read: unknown;
  try {
    read = JSON.parse(given);
  } catch {
    return notObject;
  }
  const pointer = suspectNumber.test(given) ? unfitNumber(given, 0, given.length) : undefined;
  if (pointer === undefined) return isRecord(read) ? read : notObject;
  return new EventFault(
    "number_not_representable",
    `/properties${pointer}`,
    "The number does not survive a double; write it as text.",
  );
}

// The client's own id of an event; the one that PostHog's servers went by before there was a uuid, else.
function eventIdOf(value: Value): unknown {
  const properties = value["properties"];
  return readId(value["uuid"]) ?? (isRecord(properties) ? readId(properties["$insert_id"]) : undefined);
}

// A queued event of an older client has no `timestamp`, but its properties say when it was captured, in
// seconds. Only where they do not is its age all there is, and the time another one in every copy.
function timeOf(value: Value, properties: Value): unknown {
  const timestamp = value["timestamp"];
  if (timestamp !== undefined && timestamp !== null) return timestamp;
  const seconds = properties["$time"];
  return typeof seconds === "number" && Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined;
}

interface Traits {
  traits: Value;
  /** The property they come from. */
  from: "$set" | "$group_set";
}

// What an identification or a group says of its person or group is the content of such an event.
function traitsOf(value: Value, properties: Value): Traits | undefined {
  if (value["event"] === "$groupidentify") {
    const traits = properties["$group_set"];
    return isRecord(traits) ? { traits, from: "$group_set" } : undefined;
  }
  return value["event"] === "$identify"
    ? { traits: merged("$set", value, properties), from: "$set" }
    : undefined;
}

// As PostHog does it: what stands beside the properties goes before what stands among them.
function merged(name: "$set" | "$set_once", value: Value, properties: Value): Value {
  const [among, beside] = [properties[name], value[name]];
  return { ...(isRecord(among) ? among : {}), ...(isRecord(beside) ? beside : {}) };
}

function withSets(
  context: Map<string, unknown>,
  value: Value,
  properties: Value,
  isContent: boolean,
): Map<string, unknown> {
  for (const name of ["$set", "$set_once"] as const) {
    if (name === "$set" && isContent) continue;
    const members = merged(name, value, properties);
    if (Object.keys(members).length > 0) context.set(name, members);
  }
  return context;
}

const fields: Readonly<Record<string, string>> = {
  $app_version: "app_version",
  $device_type: "device",
  $geoip_country_code: "country",
  $geoip_city_name: "city",
  $ip: "ip",
};

// A page's own properties are the payload; what PostHog's client added is the context, some of it by our names.
function parted(properties: Value, people: People, content: Traits["from"] | undefined) {
  const payload = new Map<string, unknown>();
  const context = new Map<string, unknown>();
  for (const [name, member] of Object.entries(properties)) {
    if (tokens.has(name) || name === content || name === "$session_id") continue;
    if (people.isId(name) && people.holds(member)) continue;
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field !== undefined && typeof member === "string") {
      context.set(field, field === "device" ? member.toLowerCase() : member);
    } else (name.startsWith("$") || people.isId(name) ? context : payload).set(name, member);
  }
  return { payload, context };
}

function nameOf(field: string, value: Value): string {
  const beside = (name: string): string =>
    (value[name] ?? undefined) === undefined ? `properties/${name}` : name;
  switch (field) {
    case "event_id":
      return (value["uuid"] ?? undefined) === undefined ? "properties/$insert_id" : "uuid";
    case "type":
      return "event";
    case "user_id":
    case "anonymous_id":
      return beside("distinct_id");
    case "aggregate_id":
      return "properties/$group_key";
    case "session_id":
      return "properties/$session_id";
    case "payload":
    case "context":
      return "properties";
    default:
      return field;
  }
}
