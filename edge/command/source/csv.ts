// CSV (RFC 4180): records cut at line breaks outside quotes, fields named by the header, then mapped.
import { readFields } from "./csv-fields.ts";
import { type CompiledMap, compileMap, type FieldMap, mapHeader, renderRow } from "./csv-map.ts";
import { isBlank } from "./ndjson.ts";
import {
  createGatherer,
  DamagedFileError,
  gatheredEvent,
  type SourceEvent,
  type Splitter,
  sourceEventBytesMax,
} from "./source-event.ts";

const quote = 34;
const lineFeed = 10;
/** Scanned at once, so that what an open quote swallowed never outgrows what the gatherer keeps. */
const sliceBytesMax = 256 * 1024;

export interface CsvOptions {
  /** One ASCII character. */
  delimiter: string;
  /** Which column goes where; empty: every column's name is the field's. */
  map: FieldMap;
  /** Rewrites a local time; gives back any other. */
  zoned: (time: string) => string;
}

/**
 * The first record is the header. A quote that is never closed breaks its own line alone: what was
 * swallowed after it is read again from the next line on.
 */
export function splitCsv(options: CsvOptions): Splitter {
  const delimiter = options.delimiter.charCodeAt(0);
  const gatherer = createGatherer(2 * sourceEventBytesMax);
  const toEvent = rowReader(options);
  let inQuotes = false;
  let atFieldStart = true;

  function finish(events: SourceEvent[]): void {
    inQuotes = false;
    atFieldStart = true;
    const record = gatheredEvent(gatherer);
    if (!isBlank(record.bytes)) toEvent(record, events);
  }

  function scan(chunk: Uint8Array, events: SourceEvent[]): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const code = chunk[at]!;
      if (code === quote) {
        // A quote opens at a field's start only; a doubled one inside closes and opens again.
        if (inQuotes) [inQuotes, atFieldStart] = [false, true];
        else if (atFieldStart) inQuotes = true;
      } else if (!inQuotes) {
        atFieldStart = code === delimiter;
        if (code !== lineFeed) continue;
        gatherer.add(chunk.subarray(from, at));
        finish(events);
        from = at + 1;
      }
    }
    gatherer.add(chunk.subarray(from));
    if (inQuotes && gatherer.total() > sourceEventBytesMax) rereadOpenQuote(events);
  }

  function rereadOpenQuote(events: SourceEvent[]): void {
    const swallowed = gatherer.take();
    const lineEnd = swallowed.indexOf(lineFeed);
    inQuotes = false;
    atFieldStart = true;
    toEvent(
      {
        bytes: lineEnd < 0 ? swallowed.subarray(0, sourceEventBytesMax) : swallowed.subarray(0, lineEnd),
        refusal: {
          code: "event_malformed",
          pointer: "",
          detail: "a quote opened in this row is never closed",
        },
      },
      events,
    );
    if (lineEnd >= 0) scan(swallowed.subarray(lineEnd + 1), events);
  }

  return {
    push(chunk) {
      const events: SourceEvent[] = [];
      for (let at = 0; at < chunk.length; at += sliceBytesMax)
        scan(chunk.subarray(at, at + sliceBytesMax), events);
      return events;
    },
    end() {
      const events: SourceEvent[] = [];
      while (inQuotes && gatherer.total() > 0) rereadOpenQuote(events);
      finish(events);
      return events;
    },
  };
}

/** Takes the first record as the header and makes an event of every later one. */
function rowReader(options: CsvOptions): (record: SourceEvent, events: SourceEvent[]) => void {
  let compiled: CompiledMap | undefined;
  let width = 0;
  return (record, events) => {
    const fields = record.refusal === undefined ? readFields(record.bytes, options.delimiter) : [];
    if (compiled === undefined) {
      if (typeof fields === "string" || fields.length === 0)
        throw new DamagedFileError("the file's first row cannot be read as a header");
      width = fields.length;
      compiled = compileMap(options.map.length > 0 ? options.map : mapHeader(fields), fields);
    } else if (record.refusal !== undefined) {
      events.push(record);
    } else if (typeof fields === "string" || fields.length !== width) {
      const detail =
        typeof fields === "string" ? fields : `the row has ${fields.length} columns, the header ${width}`;
      events.push({ bytes: record.bytes, refusal: { code: "event_malformed", pointer: "", detail } });
    } else events.push(renderRow(record.bytes, fields, compiled, options.zoned));
  };
}
