// Amplitude's wire format: its HTTP API's events.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { idOf, members, moneyFault } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;

export const amplitude: Dialect = {
  name: "amplitude",
  toNative,
  nameOf(field, value = {}) {
    if (field !== "payload") return names[field] ?? field;
    const kind = value["event_type"];
    return kind === "$identify"
      ? "user_properties"
      : kind === "$groupidentify"
        ? "group_properties"
        : "event_properties";
  },
  identity: "native",
  eventIdOf: (value) => idOf(value["insert_id"]),
};

const names: Readonly<Record<string, string>> = {
  event_id: "insert_id",
  type: "event_type",
  timestamp: "time",
  anonymous_id: "device_id",
};

const types: Readonly<Record<string, string>> = {
  $identify: "identify",
  $groupidentify: "group",
  "[Amplitude] Page Viewed": "page_view",
};
const objects = ["event_properties", "user_properties", "group_properties", "groups"];

function toNative(value: Value): Value | EventFault {
  for (const name of objects) {
    const member = value[name];
    if (member !== undefined && member !== null && !isRecord(member)) {
      return new EventFault("invalid_type", `/${name}`, "It must be an object.");
    }
  }
  const { event_type: kind, insert_id, time, user_id, device_id, session_id, ...rest } = value;
  const type = typeof kind === "string" && Object.hasOwn(types, kind) ? types[kind] : kind;
  const { payload, left } = contentOf(type, rest);
  const { app_version, country, city, ...others } = left;
  const context = members({ app_version, country, city, ...others, source_type: kind });
  const isBeside = value["revenue"] !== undefined && value["revenue"] !== null;
  const fault = moneyFault(payload, isBeside ? "/revenue" : "/event_properties/revenue");
  if (fault !== undefined) return fault;
  return {
    event_id: idOf(insert_id),
    type,
    timestamp: time,
    user_id: idOf(user_id),
    anonymous_id: idOf(device_id),
    // A session is named by its start; −1 is an event outside of any.
    session_id: session_id === -1 ? undefined : idOf(session_id),
    payload,
    context,
  };
}

// What the event is about becomes the payload; what only describes it stays.
function contentOf(type: unknown, rest: Value): { payload: Value; left: Value } {
  if (type === "identify") {
    const { user_properties, ...left } = rest;
    return { payload: settled(user_properties), left };
  }
  if (type === "group") {
    const { group_properties, ...left } = rest;
    return { payload: settled(group_properties), left };
  }
  const { event_properties, revenue, price, quantity, productId, revenueType, ...left } = rest;
  const said = (event_properties ?? {}) as Value;
  const amount =
    revenue ?? said["$revenue"] ?? paid(price ?? said["$price"], quantity ?? said["$quantity"] ?? 1);
  const currency = said["currency"] ?? said["$currency"] ?? rest["currency"];
  const own = members({ price, quantity, productId, revenueType, revenue: amount ?? undefined, currency });
  return { payload: { ...said, ...own }, left };
}

// What is set stands by itself, as other clients send it; what adds, unsets and the like keeps its name.
function settled(properties: unknown): Value {
  if (!isRecord(properties)) return {};
  const { $set, ...rest } = properties;
  return isRecord($set) ? { ...rest, ...$set } : properties;
}

// Six decimals, which is finer than any currency, and hides what a product of binary fractions adds.
function paid(price: unknown, quantity: unknown): number | undefined {
  const amount = typeof price === "number" && typeof quantity === "number" ? price * quantity : Number.NaN;
  return Number.isFinite(amount) && Math.abs(amount) < 1e15 ? Number(amount.toFixed(6)) : undefined;
}
