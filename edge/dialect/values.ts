// What members of foreign formats hold: ids, numbers written as text, and JSON or base64 inside a text.
import { suspectNumber } from "../decode-json.ts";
import { EventFault } from "../fault.ts";
import { unfitNumber } from "../json-places.ts";
import { moneyOf } from "../money.ts";
import { survivesDouble } from "../number.ts";
import { isRecord, type NativeEvent } from "../schema.ts";

/** An id as text. Some clients send numbers for ids, and null or an empty text for none. */
export function idOf(id: unknown): unknown {
  if (typeof id === "number" && Number.isFinite(id)) return String(id);
  return id === "" || id === null ? undefined : id;
}

/** The number a plain decimal stands for, where a double holds it; anything else as it is. */
export function numberOf(value: unknown): unknown {
  const isPlain = typeof value === "string" && /^-?\d{1,40}(\.\d{1,40})?$/.test(value);
  return isPlain && survivesDouble(value) ? Number(value) : value;
}

/** A text of digits as the epoch time it is, in whatever unit; anything else as it is. */
export const epochOf = (value: unknown): unknown =>
  typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The bytes of base64 in either alphabet, with or without padding; undefined where it is none. */
export function base64Bytes(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (unit) => unit.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** JSON that stands in an event's member `name` as text, in base64 where `isPacked`; else it may be open too. */
export function jsonWithin(text: unknown, name: string, isPacked: boolean): { value: unknown } | EventFault {
  if (isRecord(text) && !isPacked) return { value: text };
  if (typeof text !== "string") return new EventFault("invalid_type", `/${name}`, "It must be text.");
  try {
    const json = isPacked ? decoder.decode(base64Bytes(text) ?? notBase64()) : text;
    const value: unknown = JSON.parse(json);
    const isUnfit = suspectNumber.test(json) && unfitNumber(json, 0, json.length) !== undefined;
    if (!isUnfit) return { value };
  } catch {
    return new EventFault("invalid_value", `/${name}`, `It must be JSON${isPacked ? " in base64" : ""}.`);
  }
  return new EventFault(
    "number_not_representable",
    `/${name}`,
    "It holds a number that does not survive a double; send it as text.",
  );
}

/** A text's JSON, from base64 where `isPacked`; text where it is none, or would not come out as it went in. */
export function openedText(text: unknown, isPacked: boolean): unknown {
  const found = jsonWithin(text, "", isPacked);
  if (!(found instanceof EventFault)) return found.value;
  const bytes = isPacked && typeof text === "string" ? base64Bytes(text) : undefined;
  return bytes === undefined ? text : new TextDecoder().decode(bytes);
}

function notBase64(): never {
  throw new Error("no base64");
}

/** What is wrong with a payload's money, at the place where the client said it; undefined where nothing is. */
export function moneyFault(payload: unknown, pointer: string): EventFault | undefined {
  const money = moneyOf({ payload } as NativeEvent);
  return money instanceof EventFault ? new EventFault(money.code, pointer, money.detail) : undefined;
}

/** An object without its members that are undefined. */
export const members = (all: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(all).filter(([, member]) => member !== undefined));
