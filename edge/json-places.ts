// Where things stand in a JSON text that JSON.parse has accepted. Only looked at when something is refused
// or suspect, and iterative throughout, since the text may nest as deep as a body is long.
import { nestingMax } from "../shared/limits.ts";
import { escapePointer, survivesDouble } from "./number.ts";

/** Start and end, not included, in UTF-16 units. */
export type Place = readonly [start: number, end: number];

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The places of a body's events: an array's elements, those of an object's member `list`, or the object itself. */
export function eventPlaces(text: string, list: string | undefined): Place[] {
  const start = skipSpace(text, 0);
  if (text.charCodeAt(start) === openBracket) return elements(text, start);
  const events = list === undefined ? undefined : lastMember(text, start, list);
  return events === undefined ? [[start, skipValue(text, start)]] : elements(text, events);
}

function elements(text: string, open: number): Place[] {
  const places: Place[] = [];
  let at = skipSpace(text, open + 1);
  while (text.charCodeAt(at) !== closeBracket) {
    const end = skipValue(text, at);
    places.push([at, end]);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
  }
  return places;
}

// Of members with one name JSON.parse keeps the last, so this does too.
function lastMember(text: string, open: number, name: string): number | undefined {
  let found: number | undefined;
  let at = skipSpace(text, open + 1);
  while (text.charCodeAt(at) !== closeBrace) {
    const keyEnd = skipString(text, at);
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    if (JSON.parse(text.slice(at, keyEnd)) === name) found = value;
    at = skipSpace(text, skipValue(text, value));
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1);
  }
  return found;
}

/**
 * The RFC 6901 pointer to the first number of the value in `text` from `start` to `end` that a double
 * cannot hold. Stops where the value nests deeper than any event may, which is refused elsewhere.
 */
export function unfitNumber(text: string, start: number, end: number): string | undefined {
  // One entry a level: the index in an array, or the raw key in an object.
  const path: (number | string)[] = [];
  let isKeyNext = false;
  let at = start;
  while (at < end) {
    const unit = text.charCodeAt(at);
    if (unit === quote) {
      const close = skipString(text, at);
      if (isKeyNext) path[path.length - 1] = text.slice(at, close);
      isKeyNext = false;
      at = close;
    } else if (unit === 0x2d || (unit >= 0x30 && unit <= 0x39)) {
      const close = skipScalar(text, at, end);
      if (!survivesDouble(text.slice(at, close))) return pointerOf(path);
      at = close;
    } else {
      if (unit === openBrace || unit === openBracket) {
        isKeyNext = unit === openBrace;
        if (path.push(isKeyNext ? "" : 0) > nestingMax) return undefined;
      } else if (unit === closeBrace || unit === closeBracket) {
        path.pop();
        isKeyNext = false;
      } else if (unit === comma) {
        const place = path[path.length - 1];
        if (typeof place === "number") path[path.length - 1] = place + 1;
        else isKeyNext = true;
      }
      at += 1;
    }
  }
  return undefined;
}

function pointerOf(path: readonly (number | string)[]): string {
  return path
    .map((place) => `/${typeof place === "number" ? place : escapePointer(JSON.parse(place) as string)}`)
    .join("");
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (; ; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return at;
  }
}

function skipValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === quote) at = skipString(text, at);
    else if (unit === openBrace || unit === openBracket) {
      depth += 1;
      at += 1;
    } else if (unit === closeBrace || unit === closeBracket) {
      depth -= 1;
      at += 1;
    } else if (depth === 0) return skipScalar(text, at, text.length);
    else at += 1;
    if (depth === 0) return at;
  }
  throw new Error("a value without an end");
}

function skipScalar(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && !isDelimiter(text.charCodeAt(at))) at += 1;
  return at;
}

const isDelimiter = (unit: number): boolean =>
  unit === comma || unit === closeBracket || unit === closeBrace || unit <= 0x20;

// From an opening quote to the place after its closing one, which an odd run of backslashes does not precede.
function skipString(text: string, from: number): number {
  let close = text.indexOf('"', from + 1);
  while (close !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(close - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return close + 1;
    close = text.indexOf('"', close + 1);
  }
  throw new Error("a string without an end");
}
