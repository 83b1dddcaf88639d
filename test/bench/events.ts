// Real events under ids and times of one's own, and the records that edge and collector make of them.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createAccept } from "../../edge/accept.ts";
import { hash } from "../../edge/adapter/bun.ts";
import { native } from "../../edge/dialect/native.ts";
import { systemClock } from "../../shared/clock.ts";
import type { ReadRecord } from "../../shared/log/log.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { packRecord } from "../../shared/wire/record.ts";
import { retailSample } from "../support/retail.ts";

/** An event as a client sends it; the sample's events all have these fields. */
export interface SentEvent {
  event_id: string;
  type: string;
  user_id?: string;
  session_id: string;
  timestamp: string;
  payload: Record<string, unknown>;
  context: { country: string };
}

let sample: SentEvent[] | undefined;

function readSample(): SentEvent[] {
  const lines = gunzipSync(readFileSync(retailSample().file)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as SentEvent);
}

/** What events hold: the shop's real ones (315 bytes of JSON on the average), or the least a page view says. */
export type Contents = "retail" | "small";

const small: Omit<SentEvent, "event_id" | "timestamp"> = {
  type: "page_view",
  user_id: "17850",
  session_id: "536365",
  payload: { path: "/basket", ms: 184 },
  context: { country: "France" },
};

/** `count` events numbered from `first`; event `n` happens `n × everyMs` after `from`. */
export function makeEvents(
  run: string,
  [first, count]: readonly [first: number, count: number],
  [from, everyMs]: readonly [from: number, everyMs: number],
  contents: Contents = "retail",
): SentEvent[] {
  sample ??= readSample();
  const held = contents === "retail" ? sample : [small];
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    const timestamp = new Date(from + Math.floor(number * everyMs)).toISOString();
    return { ...held[number % held.length]!, event_id: `${run}-${number}`, timestamp };
  });
}

/** The batches that an edge makes of events, `size` in each. */
export async function batchesOf(events: readonly SentEvent[], size: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  const accept = createAccept({
    name: "bench",
    clock: systemClock,
    hash,
    meter: silentMeter,
    logger: silentLogger,
    groupCommit: false,
    collector: {
      async send(batch) {
        batches.push(batch);
        return { batchId: batch.batchId, outcomes: new Uint8Array(batch.count) };
      },
      ready: async () => {},
      close: async () => {},
    },
  });
  for (let at = 0; at < events.length; at += size) {
    await accept.submit({
      project: "bench",
      rights: ["historical"],
      dialect: native,
      events: events.slice(at, at + size),
      original: () => new Uint8Array(),
      receivedAt: systemClock.now(),
    });
  }
  return batches;
}

/** The record of each batch, all of whose events are new to the claims; records are numbered from `first`. */
export function recordsOf(batches: readonly Batch[], first: number): Uint8Array[] {
  return batches.map((batch, at) => {
    const number = first + at;
    const receipt = { collector: "bench", start: 1, number, lowestOpen: number, givenUp: [] };
    return Uint8Array.from(packRecord(batch, new Uint8Array(batch.count), receipt));
  });
}

/** Records as a log hands them out, with the offsets from `from` on. */
export function readAs(from: bigint, records: readonly Uint8Array[]): ReadRecord[] {
  const time = systemClock.now();
  return records.map((value, at) => ({ offset: from + BigInt(at), time, value }));
}
