// What waits to be sent: oldest first, and bounded.
import type { Waiting } from "./request.ts";

export interface Queue {
  readonly length: number;
  /** False where there is no room; nothing that waits makes room for it. */
  put(event: Waiting): boolean;
  /** The oldest, up to the bounds, and one at least. */
  head(eventsMax: number, bytesMax: number): Waiting[];
  /** Takes the oldest out. */
  drop(count: number): void;
}

export function createQueue(eventsMax: number, bytesMax: number): Queue {
  const events: Waiting[] = [];
  let held = 0;
  return {
    get length() {
      return events.length;
    },
    put(event) {
      if (events.length >= eventsMax || held + event.bytes > bytesMax) return false;
      events.push(event);
      held += event.bytes;
      return true;
    },
    head(countMax, sizeMax) {
      let size = 0;
      const end = events.findIndex(({ bytes }, at) => {
        size += bytes + 1;
        return at > 0 && (at >= countMax || size > sizeMax);
      });
      return events.slice(0, end === -1 ? events.length : end);
    },
    drop(count) {
      for (const { bytes } of events.splice(0, count)) held -= bytes;
    },
  };
}
