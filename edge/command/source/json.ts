// JSON: the elements of one array, or of the member `events` of one object, cut out without parsing the whole.
import { isBlank } from "./ndjson.ts";
import {
  createGatherer,
  DamagedFileError,
  gatheredEvent,
  type SourceEvent,
  type Splitter,
} from "./source-event.ts";

const byte = {
  quote: 34,
  comma: 44,
  colon: 58,
  open: 91,
  backslash: 92,
  close: 93,
  braceOpen: 123,
  braceClose: 125,
};
/** A member's name is gathered no further than it takes to tell it from `events`. */
const nameBytesMax = 16;

/** Where the scan stands: outside the array, or among its elements. */
type Place = "start" | "object" | "array" | "after";

/**
 * Finds the array and cuts at its commas. What lies between two commas is an event as it stands: whether
 * it is sound JSON is the front door's to say, so one broken element leaves the others alone.
 */
export function splitJson(): Splitter {
  const element = createGatherer();
  const name = createGatherer(nameBytesMax);
  let place: Place = "start";
  let inObject = false;
  let found = false;
  let depth = 0;
  let inString = false;
  let escaped = false;
  let memberName = "";

  const finish = (events: SourceEvent[]): void => {
    const event = gatheredEvent(element);
    if (!isBlank(event.bytes)) events.push(event);
  };

  // Outside the array only the structure matters: which member of the outermost object begins a list.
  function outside(code: number): void {
    if (isSpace(code)) return;
    if (place === "start") {
      if (code === byte.open) place = "array";
      else if (code === byte.braceOpen) [place, inObject] = ["object", true];
      else throw new DamagedFileError("the file begins with neither an array nor an object");
      found ||= place === "array";
    } else if (place === "after") {
      throw new DamagedFileError("the file goes on after its end; is it NDJSON? (--format ndjson)");
    } else if (code === byte.open && depth === 0 && memberName === "events") {
      [place, found] = ["array", true];
    } else if (code === byte.braceOpen || code === byte.open) depth += 1;
    else if (code === byte.braceClose || code === byte.close) {
      if (depth === 0) place = "after";
      else depth -= 1;
    } else if (code === byte.comma && depth === 0) {
      memberName = "";
      name.take();
    }
    if (code === byte.colon && depth === 0) memberName = new TextDecoder().decode(name.take());
  }

  function string(code: number): void {
    if (escaped) escaped = false;
    else if (code === byte.backslash) escaped = true;
    else if (code === byte.quote) inString = false;
  }

  function scan(chunk: Uint8Array, events: SourceEvent[]): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const code = chunk[at]!;
      if (inString) {
        string(code);
        if (inString && place === "object" && depth === 0 && memberName === "")
          name.add(chunk.subarray(at, at + 1));
      } else if (code === byte.quote && place !== "start" && place !== "after") inString = true;
      else if (place !== "array") {
        outside(code);
        from = at + 1;
      } else if (code === byte.braceOpen || code === byte.open) depth += 1;
      else if (depth > 0 && (code === byte.braceClose || code === byte.close)) depth -= 1;
      else if (depth === 0 && (code === byte.comma || code === byte.close)) {
        element.add(chunk.subarray(from, at));
        finish(events);
        from = at + 1;
        if (code === byte.close) [place, memberName] = [inObject ? "object" : "after", ""];
      }
    }
    if (place === "array") element.add(chunk.subarray(from));
  }

  return {
    push(chunk) {
      const events: SourceEvent[] = [];
      scan(chunk, events);
      return events;
    },
    end() {
      const rest: SourceEvent[] = [];
      finish(rest);
      if (place === "start") throw new DamagedFileError("the file is empty");
      if (place !== "after") throw new DamagedFileError("the file ends before its JSON does", rest);
      if (!found) throw new DamagedFileError("the file's object has no array `events`");
      return rest;
    },
  };
}

const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9;
