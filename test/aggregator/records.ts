// Makes batches and records for the suites of the aggregator, event by event.
import { createHash } from "node:crypto";
import { type EventFields, flag } from "../../shared/event/event.ts";
import { eventIdIdentity, isWeak, writeId } from "../../shared/event/identity.ts";
import type { ReadRecord } from "../../shared/log/log.ts";
import { type Batch, outcome, type Refusal } from "../../shared/wire/batch.ts";
import { packEvent } from "../../shared/wire/packed-event.ts";
import { packRecord, type Receipt } from "../../shared/wire/record.ts";

const dayMs = 86_400_000;
/** The noon all suites begin at: yesterday's, so that what has to be recent is so on any day. */
export const noon: number = Math.floor(Date.now() / dayMs) * dayMs - dayMs / 2;

/** One event of a batch as a suite describes it; everything has a default. */
export interface Sketch {
  /** The client's own id: equal ones are the same event. */
  name: string;
  /** What the fingerprint is taken over, and what is stored as payload. */
  content?: string;
  /** Client time, epoch ms. */
  at?: number;
  /** The time it was moved to; sets the flag. */
  movedTo?: number;
  /** Bits beside those that follow from the rest. */
  flags?: number;
  fields?: Partial<EventFields>;
  outcome?: number;
  refusal?: Omit<Refusal, "index">;
  /** Replaces the packed bytes. */
  body?: Uint8Array;
}

export interface BatchSketch {
  id?: Uint8Array;
  project?: string;
  receivedAt?: number;
  receipt?: Partial<Receipt>;
}

let made = 0;

/** A batch id no other has. */
export function nextBatchId(): Uint8Array {
  made += 1;
  return createHash("sha256").update(`batch ${process.pid} ${made}`).digest().subarray(0, 16);
}

/** The bytes of a record of these events. */
export function recordOf(events: readonly Sketch[], sketch: BatchSketch = {}): Uint8Array {
  const batch = batchOf(events, sketch);
  const outcomes = Uint8Array.from(events, (event) => event.outcome ?? (event.refusal ? outcome.refused : 0));
  const receipt = {
    collector: "test",
    start: 1,
    number: made,
    lowestOpen: 0,
    givenUp: [],
    ...sketch.receipt,
  };
  return Uint8Array.from(packRecord(batch, outcomes, receipt));
}

export function batchOf(events: readonly Sketch[], sketch: BatchSketch = {}): Batch {
  const count = events.length;
  const batch: Batch = {
    batchId: sketch.id ?? nextBatchId(),
    project: sketch.project ?? "p",
    edge: "edge",
    receivedAt: sketch.receivedAt ?? noon + 1_000,
    traceparent: null,
    count,
    ids: new Uint8Array(count * 16),
    hashes: new Uint8Array(count * 16),
    fingerprints: new Uint8Array(count * 8),
    flags: new Uint8Array(count),
    sizes: [],
    bodies: new Uint8Array(),
    refusals: events.flatMap(({ refusal }, index) => (refusal ? [{ index, ...refusal }] : [])),
  };
  const bodies = events.map((event, index) => {
    const fields = fieldsOf(event);
    const text = eventIdIdentity(batch.project, event.name);
    batch.hashes.set(createHash("sha256").update(text).digest().subarray(0, 16), index * 16);
    const content = createHash("sha256").update(event.content ?? "same");
    batch.fingerprints.set(content.digest().subarray(0, 8), index * 8);
    batch.flags[index] =
      (event.flags ?? 0) |
      (event.movedTo === undefined ? 0 : flag.moved) |
      (isWeak(fields.identity) ? flag.weak : 0);
    if (!event.refusal)
      writeId(batch.ids, index * 16, event.movedTo ?? event.at ?? noon, batch.hashes, index * 16);
    return event.body ?? Uint8Array.from(packEvent(fields));
  });
  return { ...batch, sizes: bodies.map((body) => body.length), bodies: Buffer.concat(bodies) };
}

/** The fields of a sketched event. */
export function fieldsOf(event: Sketch): EventFields {
  return {
    identity: "event_id",
    clientTime: event.at ?? noon,
    type: "purchase",
    version: 1,
    eventId: event.name,
    aggregateId: null,
    userId: "u-1",
    anonymousId: null,
    sessionId: "s-1",
    streamId: null,
    seq: null,
    country: "United Kingdom",
    city: null,
    device: null,
    appVersion: "2.1.0",
    revenue: "15.30",
    currency: "GBP",
    payload: JSON.stringify({ content: event.content ?? "same" }),
    context: "{}",
    metadata: "{}",
    clockOffsetMs: 12,
    ...event.fields,
  };
}

/** Gives bytes the offsets from `from` on, as a log would. */
export function reads(from: bigint, ...values: Uint8Array[]): ReadRecord[] {
  return values.map((value, at) => ({ offset: from + BigInt(at), time: noon, value }));
}
