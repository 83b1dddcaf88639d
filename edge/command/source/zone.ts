// Times without offset in a file whose zone the caller states: read in that zone, written in UTC.
import { MisuseError } from "../../../shared/command.ts";

const localForm = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?$/;

/**
 * Rewrites one local time as RFC 3339 in UTC; anything else comes back as it was. Where a clock
 * was put back an hour happens twice and the first is meant; where it was put forward an hour is missing
 * and the time counts on from before the gap (RFC 5545, section 3.3.5). Throws a MisuseError on a zone
 * nobody knows.
 */
export function zoneReader(zone: string): (time: string) => string {
  try {
    Temporal.PlainDateTime.from("2000-01-01T00:00").toZonedDateTime(zone);
  } catch {
    throw new MisuseError(`--tz knows no zone ${zone}; it takes names such as Europe/London`);
  }
  return (time) => {
    if (!localForm.test(time)) return time;
    try {
      const local = Temporal.PlainDateTime.from(time.replace(" ", "T").replace(",", "."));
      return local.toZonedDateTime(zone, { disambiguation: "compatible" }).toInstant().toString();
    } catch {
      // No such day or hour: the front door says so, about the text as it came.
      return time;
    }
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Rewrites the member `timestamp` of an event's JSON in place, so that every other byte, and with it the
 * digits of every number, stays as it came. What cannot be read is given back untouched.
 */
export function rewriteTimestamp(bytes: Uint8Array, rewrite: (time: string) => string): Uint8Array {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return bytes;
  }
  let out = "";
  let copied = 0;
  for (const [from, to] of timestampsOf(text)) {
    const time = text.slice(from, to);
    const rewritten = rewrite(time);
    if (rewritten === time) continue;
    out += text.slice(copied, from) + rewritten;
    copied = to;
  }
  return copied === 0 ? bytes : encoder.encode(out + text.slice(copied));
}

// Where the string values of the outermost object's members named `timestamp` begin and end.
function timestampsOf(text: string): [number, number][] {
  const found: [number, number][] = [];
  let depth = 0;
  let name = "";
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "{" || sign === "[") depth += 1;
    else if (sign === "}" || sign === "]") depth -= 1;
    else if (sign === "," && depth === 1) name = "";
    else if (sign === '"') {
      const end = stringEnd(text, at + 1);
      if (end < 0) return found;
      if (depth === 1 && name === "timestamp") found.push([at + 1, end]);
      else if (depth === 1 && name === "") name = text.slice(at + 1, end);
      at = end;
    }
  }
  return found;
}

function stringEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at;
  }
  return -1;
}
