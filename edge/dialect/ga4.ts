// Google Analytics 4's Measurement Protocol: events without ids, beside what they have in common.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { epochOf, idOf, members, moneyFault } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;

/** What a body says once for all of its events becomes part of each, in what is kept of it too. */
export const shared = [
  "client_id",
  "app_instance_id",
  "user_id",
  "timestamp_micros",
  "user_properties",
  "consent",
  "non_personalized_ads",
  "user_location",
  "ip_override",
  "device",
  "user_agent",
];

export const ga4: Dialect = {
  name: "ga4",
  toNative,
  identity: "native",
  nameOf: (field, value = {}) =>
    field === "anonymous_id" && value["client_id"] === undefined
      ? "app_instance_id"
      : (names[field] ?? field),
  eventIdOf: ({ name, params }) => transactionOf(name, params),
};

const names: Readonly<Record<string, string>> = {
  type: "name",
  event_id: "params/transaction_id",
  session_id: "params/session_id",
  anonymous_id: "client_id",
  timestamp: "timestamp_micros",
  payload: "params",
};

function toNative(value: Value): Value | EventFault {
  const { name, params, client_id, app_instance_id, user_id, timestamp_micros, ip_override, ...rest } = value;
  const isGiven = params !== undefined && params !== null;
  if (isGiven && !isRecord(params)) return new EventFault("invalid_type", "/params", "It must be an object.");
  const { session_id, ...payload } = isRecord(params) ? params : {};
  const { user_location: place, device: details, ...context } = rest;
  const [city, country] = isRecord(place) ? [place["city"], place["country_id"]] : [];
  const money = moneyIn(name, payload);
  const fault = moneyFault(money, "/params/value");
  if (fault !== undefined) return fault;
  return {
    event_id: transactionOf(name, params),
    type: name,
    timestamp: epochMsOf(timestamp_micros),
    user_id: idOf(user_id),
    anonymous_id: idOf(client_id) ?? idOf(app_instance_id),
    session_id: idOf(session_id),
    payload: money,
    context: members({
      ...context,
      ...members({ ip: ip_override, city, country, user_location: place, device_details: details }),
      source_type: name,
    }),
  };
}

// A purchase is known by its transaction, as it is to Google; nothing else has anything like an id.
function transactionOf(name: unknown, params: unknown): unknown {
  if (name !== "purchase" && name !== "refund") return undefined;
  const id = isRecord(params) ? idOf(params["transaction_id"]) : undefined;
  return typeof id === "string" ? `${name} ${id}` : undefined;
}

function moneyIn(name: unknown, payload: Value): Value {
  const { value } = payload;
  if (payload["revenue"] !== undefined || value === undefined) return payload;
  if (name === "purchase") return { ...payload, revenue: value };
  return name === "refund" && typeof value === "number" ? { ...payload, revenue: -value } : payload;
}

// Whole milliseconds, since a fraction of one would be cut.
function epochMsOf(micros: unknown): unknown {
  const number = epochOf(micros);
  return typeof number === "number" ? Math.floor(number / 1_000) : number;
}
