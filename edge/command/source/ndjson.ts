// NDJSON: one event a line, empty lines passed over.
import { createGatherer, gatheredEvent, type SourceEvent, type Splitter } from "./source-event.ts";

const lineFeed = 10;

/** Splits at line feeds; a carriage return before one is white space to JSON and stays. */
export function splitNdjson(): Splitter {
  const gatherer = createGatherer();
  const finish = (events: SourceEvent[]): void => {
    const event = gatheredEvent(gatherer);
    if (!isBlank(event.bytes)) events.push(event);
  };
  return {
    push(chunk) {
      const events: SourceEvent[] = [];
      let from = 0;
      for (;;) {
        const to = chunk.indexOf(lineFeed, from);
        if (to < 0) break;
        gatherer.add(chunk.subarray(from, to));
        finish(events);
        from = to + 1;
      }
      gatherer.add(chunk.subarray(from));
      return events;
    },
    end() {
      const events: SourceEvent[] = [];
      finish(events);
      return events;
    },
  };
}

/** Whether there is nothing but JSON's white space. */
export function isBlank(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 32 && byte !== 9 && byte !== 13 && byte !== 10) return false;
  return true;
}
