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

/** `count` events of the sample's contents, numbered from `first`; event `n` happens `n × everyMs` after `from`. */
export function makeEvents(
  run: string,
  first: number,
  count: number,
  from: number,
  everyMs: number,
): SentEvent[] {
  sample ??= readSample();
  const contents = sample;
  return Array.from({ length: count }, (_, at) => {
    const number = first + at;
    const timestamp = new Date(from + Math.floor(number * everyMs)).toISOString();
    return { ...contents[number % contents.length]!, event_id: `${run}-${number}`, timestamp };
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
