// Cuts a file's events into numbered parts: the same file always gives the same parts.
import { batchBytesMax, batchEventsMax } from "../../../shared/limits.ts";
import type { SourceEvent } from "./source-event.ts";

/** A part is one batch, or, where packing makes it larger than a batch may be, a few. */
export interface Part {
  number: number;
  events: readonly SourceEvent[];
}

/** Bytes of a part as the file has them: half a batch, since packing may widen what it packs. */
export const partBytesMax: number = batchBytesMax / 2;

/** Cuts after 500 events, or before the event that would make the part too large. */
export async function* cutParts(source: AsyncIterable<readonly SourceEvent[]>): AsyncGenerator<Part> {
  let number = 0;
  let bytes = 0;
  let events: SourceEvent[] = [];
  for await (const some of source) {
    for (const event of some) {
      const isFull = events.length === batchEventsMax || bytes + event.bytes.length > partBytesMax;
      if (isFull && events.length > 0) {
        yield { number, events };
        number += 1;
        bytes = 0;
        events = [];
      }
      events.push(event);
      bytes += event.bytes.length;
    }
  }
  if (events.length > 0) yield { number, events };
}
