// Batches and fakes for the collector's suites.
import { fingerprintBytes, identityHashBytes } from "../../shared/event/identity.ts";
import { type LogProducer, PublishError, type PublishFailure } from "../../shared/log/log.ts";
import type { RefusalCode } from "../../shared/problem.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { type LogRecord, unpackRecord } from "../../shared/wire/record.ts";

const filled = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (seed * 31 + at * 7) & 255);

/** An event by its identity and its content, each told apart by a number; `refused` one travels along. */
export interface TestEvent {
  identity: number;
  content?: number;
  refused?: RefusalCode;
}

/** A batch of these events, its id made of `batch`. */
export function batchOf(batch: number, events: readonly TestEvent[]): Batch {
  const columns = (width: number, seed: (event: TestEvent) => number): Uint8Array =>
    Buffer.concat(
      events.map((event) => {
        const column = event.refused === undefined ? filled(width, seed(event)) : new Uint8Array(width);
        if (event.refused === undefined) new DataView(column.buffer).setUint32(0, seed(event));
        return column;
      }),
    );
  const bodies = events.map((event) => filled(10 + (event.identity % 5), event.identity));
  const batchId = filled(16, batch);
  new DataView(batchId.buffer).setUint32(0, batch);
  return {
    batchId,
    project: "shop",
    edge: "edge-of-the-test",
    receivedAt: Date.UTC(2026, 10, 20, 12),
    traceparent: null,
    count: events.length,
    ids: columns(16, (event) => event.identity),
    hashes: columns(identityHashBytes, (event) => event.identity),
    fingerprints: columns(fingerprintBytes, (event) => event.content ?? 0),
    flags: new Uint8Array(events.length),
    sizes: bodies.map((body) => body.length),
    bodies: Buffer.concat(bodies),
    refusals: events.flatMap(({ refused }, index) =>
      refused === undefined ? [] : [{ index, code: refused, pointer: "", detail: "refused by the edge" }],
    ),
  };
}

/** A log that keeps its records where they can be read, and fails when told to. */
export interface FakeLog {
  producer: LogProducer;
  records: { partition: number; record: LogRecord }[];
  /** The next publishes end like this; `lost` ones are stored all the same. */
  fail(failure: PublishFailure | "fault" | undefined, lost?: boolean): void;
  /** Holds publishes back until the answered function is called. */
  hold(): () => void;
}

export function fakeLog(partitions = 24): FakeLog {
  const records: FakeLog["records"] = [];
  let failure: PublishFailure | "fault" | undefined;
  let isLost = false;
  let held: Promise<void> | undefined;
  return {
    records,
    fail(next, lost = false) {
      failure = next;
      isLost = lost;
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    producer: {
      identity: { id: "log-of-the-test", topic: "weir.events", partitions },
      async publish(partition, record) {
        const failing = failure;
        if (failing === undefined || isLost) records.push({ partition, record: unpackRecord(record) });
        await held;
        if (failing === "fault") throw new TypeError("a driver broke");
        if (failing !== undefined) throw new PublishError(failing, `told to fail as ${failing}`);
      },
      async close() {},
    },
  };
}
