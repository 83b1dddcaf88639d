// CloudEvents 1.0 and 0.3 as one event in their JSON format: https://github.com/cloudevents/spec, json-format.md.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";

/** Attributes that are one event's own; every other one, extensions included, is kept in the metadata. */
const required = ["id", "source", "type", "specversion"] as const;
const versions: readonly unknown[] = ["1.0", "0.3"];

/**
 * A dialect of CloudEvents. `subject` names what an event is about, which is an aggregate to most producers
 * and a person to some. Names of extensions are lower case by the specification, so persons and sessions
 * are taken from `userid`, `anonymousid` and `sessionid`.
 */
export function cloudEventsDialect(name: string, subjectIs: "aggregate_id" | "user_id"): Dialect {
  const names: Readonly<Record<string, string>> = {
    event_id: "id",
    timestamp: "time",
    payload: "data",
    user_id: "userid",
    anonymous_id: "anonymousid",
    session_id: "sessionid",
    [subjectIs]: "subject",
  };
  return {
    name,
    toNative(value) {
      for (const attribute of required) {
        const found = value[attribute];
        if (found === undefined || found === null || found === "") {
          return new EventFault("missing_field", `/${attribute}`, `A CloudEvent needs \`${attribute}\`.`);
        }
        if (typeof found !== "string") {
          return new EventFault("invalid_type", `/${attribute}`, "It must be text.");
        }
      }
      if (!versions.includes(value["specversion"])) {
        return new EventFault("invalid_value", "/specversion", "CloudEvents 1.0 and 0.3 are understood.");
      }
      const {
        id: _,
        type,
        subject,
        time,
        userid,
        anonymousid,
        sessionid,
        data,
        data_base64,
        ...rest
      } = value;
      return {
        event_id: eventIdOf(value),
        type,
        timestamp: time,
        user_id: userid,
        anonymous_id: anonymousid,
        session_id: sessionid,
        ...(subject === undefined ? {} : { [subjectIs]: subject }),
        payload: payloadOf(data, data_base64 ?? undefined),
        metadata: rest,
      };
    },
    nameOf: (field) => names[field] ?? field,
    identity: "native",
    eventIdOf,
  };
}

// Source and id together are unique by the specification. An id's own `#` is escaped, so that the last one
// always stands between the two.
function eventIdOf({ source, id }: Readonly<Record<string, unknown>>): unknown {
  if (typeof source !== "string" || typeof id !== "string" || source === "" || id === "") return undefined;
  return `${source}#${id.replaceAll("%", "%25").replaceAll("#", "%23")}`;
}

// Data may be any JSON value; what is no object is put into one.
function payloadOf(data: unknown, base64: unknown): unknown {
  if (base64 !== undefined)
    return data === undefined ? { data_base64: base64 } : { data, data_base64: base64 };
  return data === undefined || data === null || isRecord(data) ? data : { data };
}
