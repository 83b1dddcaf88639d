// The growth event `{ user_id, event_type, client_timestamp, payload }`: one event per user, type and window
// of five minutes, told apart within it by the payload's `sequence` or `session`.
import { identityWindowMs } from "../../shared/limits.ts";
import { EventFault, unknownField } from "../fault.ts";
import type { Dialect } from "./dialect.ts";
import { plainDoor } from "./native.ts";

const names: Readonly<Record<string, string>> = { type: "event_type", timestamp: "client_timestamp" };
const required = ["user_id", "event_type", "client_timestamp"];
const known = new Set([...required, "payload"]);

export const growthEvent: Dialect = {
  name: "growth-event",
  toNative(value) {
    for (const name of required) {
      if (value[name] === undefined || value[name] === null) {
        return new EventFault("missing_field", `/${name}`, `A growth event needs \`${name}\`.`);
      }
    }
    for (const name of Object.keys(value)) {
      if (!known.has(name)) return unknownField(name);
    }
    const { event_type: type, client_timestamp: timestamp, user_id, payload } = value;
    return payload === undefined ? { type, timestamp, user_id } : { type, timestamp, user_id, payload };
  },
  nameOf: (field) => names[field] ?? field,
  identity: { kind: "window", windowMs: identityWindowMs },
};

export const growthEventDoor = plainDoor(growthEvent, "/v1/growth-events");
