// The events of one fault: made by their number alone, so that the judge need not hold them.
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SentOf } from "./judge.ts";

export interface Written {
  sentOf: SentOf;
  /** One for each edge; some events are in both, so that copies meet at two collectors. */
  files: string[];
  /** The least id that an event of this fault can have in the store. */
  leastId: string;
}

const overlapEvery = 20;
const spreadMs = 60_000;
const pieceEvents = 10_000;

/** Writes `events` of them for each of two edges, every one larger by `padBytes`. */
export function writeEvents(folder: string, project: string, events: number, padBytes = 0): Written {
  const files = [0, 1].map((index) => join(folder, `${project}-${index}.ndjson`));
  for (const file of files) writeFileSync(file, "");
  const now = Date.now();
  const pad = padBytes > 0 ? { pad: "x".repeat(padBytes) } : {};
  const contentOf = (number: number) => ({
    payload: { z: number / 7, a: [`é${number}`, null, true], path: `/p/${number % 97}`, ...pad },
    context: { country: "DE", app_version: `1.${number % 7}` },
  });
  for (let first = 0; first < events; first += pieceEvents) {
    const lines: [string, string] = ["", ""];
    for (let number = first; number < Math.min(events, first + pieceEvents); number += 1) {
      const type = number % 5 ? "page_view" : "click";
      const event = { event_id: `${project}-${number}`, type, user_id: `u${number % 1000}` };
      const timestamp = new Date(now - (number % spreadMs)).toISOString();
      const line = `${JSON.stringify({ ...event, timestamp, ...contentOf(number) })}\n`;
      const index = (number % 2) as 0 | 1;
      lines[index] += line;
      if (number % overlapEvery === 0) lines[(1 - index) as 0 | 1] += line;
    }
    for (const [index, text] of lines.entries()) appendFileSync(files[index]!, text);
  }
  return {
    files,
    leastId: leastIdAt(now - spreadMs),
    sentOf(eventId) {
      const number = Number(/^\d+$/.exec(eventId.slice(project.length + 1))?.[0] ?? "NaN");
      return eventId === `${project}-${number}` && number < events ? contentOf(number) : undefined;
    },
  };
}

/** The lowest UUID whose first 48 bits say this time. */
function leastIdAt(ms: number): string {
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
