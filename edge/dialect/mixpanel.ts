// Mixpanel's wire format: events, and changes of profiles and groups, told apart by their members.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { idOf, members } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;

const anonymousPrefix = "$device:";
const types: Readonly<Record<string, string>> = {
  $mp_web_page_view: "page_view",
  $identify: "identify",
  $create_alias: "alias",
};

export const mixpanel: Dialect = {
  name: "mixpanel",
  toNative: (value) => (value["event"] === undefined ? profileOf(value) : eventOf(value)),
  nameOf(field, value = {}) {
    if (value["event"] === undefined) return profileNames[field] ?? field;
    return field === "type" ? "event" : (names[field] ?? field);
  },
  identity: "native",
  eventIdOf: ({ properties }) => (isRecord(properties) ? idOf(properties["$insert_id"]) : undefined),
};

const names: Readonly<Record<string, string>> = {
  event_id: "properties/$insert_id",
  timestamp: "properties/time",
  user_id: "properties/distinct_id",
  anonymous_id: "properties/$device_id",
  payload: "properties",
};
const profileNames: Readonly<Record<string, string>> = {
  user_id: "$distinct_id",
  anonymous_id: "$device_id",
  aggregate_id: "$group_id",
  timestamp: "$time",
  payload: "$set",
};

function eventOf(value: Value): Value | EventFault {
  const { event: name, properties, ...beside } = value;
  if (!isRecord(properties)) return new EventFault("invalid_type", "/properties", "It must be an object.");
  const { token: _, $insert_id, time, distinct_id, $device_id, $user_id, alias, ...rest } = properties;
  const type = typeof name === "string" && Object.hasOwn(types, name) ? types[name] : name;
  const { payload, context } = parted(rest);
  if (type === "page_view") {
    payload["url"] ??= context["$current_url"];
    payload["title"] ??= payload["current_page_title"];
    payload["referrer"] ??= context["$referrer"];
  }
  const people =
    type === "alias"
      ? { user_id: idOf(alias), anonymous_id: anonymousOf(distinct_id) }
      : {
          user_id: idOf($user_id) ?? knownOf(distinct_id, $device_id),
          anonymous_id: anonymousOf(rest["$anon_distinct_id"]) ?? idOf($device_id) ?? unknownOf(distinct_id),
        };
  return {
    event_id: idOf($insert_id),
    type,
    timestamp: epochMsOf(time),
    ...people,
    payload: members(payload),
    context: members({ ...beside, ...context, app_version: rest["$app_version_string"], source_type: name }),
  };
}

// A change of a profile is the user's identify, and one of a group's is the group's.
function profileOf(value: Value): Value | EventFault {
  const { $token: _, token: __, $distinct_id, $device_id, $user_id, $group_id, $time, $set, ...rest } = value;
  if ($set !== undefined && !isRecord($set))
    return new EventFault("invalid_type", "/$set", "It must be an object.");
  const isGroup = $group_id !== undefined || rest["$group_key"] !== undefined;
  if (!isGroup && $distinct_id === undefined) {
    return new EventFault(
      "missing_field",
      "/event",
      "It is neither an event nor a profile's or a group's change.",
    );
  }
  // What is set stands by itself, as other clients send it; what adds, unsets and the like keeps its name.
  const changes = Object.entries(rest).filter(([name]) => operations.has(name));
  const beside = Object.entries(rest).filter(([name]) => !operations.has(name));
  return {
    type: isGroup ? "group" : "identify",
    timestamp: epochMsOf($time),
    user_id: idOf($user_id) ?? knownOf($distinct_id, $device_id),
    anonymous_id: idOf($device_id) ?? unknownOf($distinct_id),
    aggregate_id: idOf($group_id),
    payload: { ...Object.fromEntries(changes), ...$set },
    context: { ...Object.fromEntries(beside), source_type: isGroup ? "groups" : "engage" },
  };
}

const operations = new Set(["$set_once", "$add", "$append", "$union", "$remove", "$unset", "$delete"]);

// Members with a dollar or of its library are Mixpanel's own, and describe the circumstances.
function parted(properties: Value): { payload: Record<string, unknown>; context: Record<string, unknown> } {
  const all = Object.entries(properties);
  const isOwn = ([name]: [string, unknown]): boolean => /^(\$|mp_)/.test(name);
  return {
    payload: Object.fromEntries(all.filter((one) => !isOwn(one))),
    context: Object.fromEntries(all.filter(isOwn)),
  };
}

const isDevice = (id: unknown): id is string => typeof id === "string" && id.startsWith(anonymousPrefix);
const anonymousOf = (id: unknown): unknown => idOf(isDevice(id) ? id.slice(anonymousPrefix.length) : id);
const unknownOf = (id: unknown): unknown => (isDevice(id) ? anonymousOf(id) : undefined);
const knownOf = (id: unknown, deviceId: unknown): unknown =>
  isDevice(id) || id === deviceId ? undefined : idOf(id);

/** Seconds until the year 5138 are smaller than milliseconds since 1973. */
const secondsMax = 1e11;

// Its browser client sends seconds with a fraction, its server API takes milliseconds too.
const epochMsOf = (time: unknown): unknown =>
  typeof time === "number" && Math.abs(time) < secondsMax ? Math.round(time * 1_000) : time;
