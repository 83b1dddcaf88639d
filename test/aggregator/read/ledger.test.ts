// The conservation line: what the ledger says, what the log holds beyond it, and what cannot be read.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Answer, Query } from "../../../aggregator/read/answer.ts";
import { createLedgerQuestion } from "../../../aggregator/read/ask-ledger.ts";
import { systemClock } from "../../../shared/clock.ts";
import { fromUuid } from "../../../shared/event/bytes.ts";
import type { Log, LogProducer, LogReader } from "../../../shared/log/log.ts";
import { forgetBefore, type MemoryPlace, memoryLog } from "../../../shared/log/memory.ts";
import type { Batch } from "../../../shared/wire/batch.ts";
import { packRecord } from "../../../shared/wire/record.ts";
import { type FilledStore, filledStore } from "./filled-store.ts";

const topic = "weir.events";
const idOf = (number: number): string => `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`;

let filled: FilledStore;
let place: MemoryPlace;
let log: Log;
let producer: LogProducer;
let reader: LogReader;
let ask: (query?: Query) => Promise<Answer>;

beforeAll(async () => {
  filled = await filledStore();
});

afterAll(async () => filled.close());

beforeEach(async () => {
  await filled.store.sql`truncate ledger, log_positions`;
  place = new Map();
  log = memoryLog(place, { topic });
  await log.create();
  producer = await log.producer();
  reader = await log.reader();
  const asking = createLedgerQuestion(filled.store.sql, reader, systemClock);
  ask = (query = {}) => asking(query);
});

function record(number: number, events: number, project = "shop"): Uint8Array {
  const batch: Batch = {
    batchId: fromUuid(idOf(number)),
    project,
    edge: "edge",
    receivedAt: Date.parse("2026-11-20T11:30:00Z"),
    traceparent: null,
    count: events,
    ids: new Uint8Array(16 * events),
    hashes: new Uint8Array(16 * events),
    fingerprints: new Uint8Array(8 * events),
    flags: new Uint8Array(events),
    sizes: new Array<number>(events).fill(0),
    bodies: new Uint8Array(),
    refusals: [],
  };
  const receipt = { collector: "c", start: 1, number, lowestOpen: number, givenUp: [] };
  return packRecord(batch, new Uint8Array(events), receipt);
}

const nothing = { received: 0, stored: 0, duplicate: 0, quarantined: 0, expired: 0, erased: 0, in_flight: 0 };

describe("the conservation line", () => {
  it("is all noughts for an empty store and log", async () => {
    const { data, meta } = await ask();
    expect(data).toEqual([nothing]);
    expect(meta).toMatchObject({
      watermark: null,
      newest_stored_at: null,
      unread_records: 0,
      unreadable: null,
    });
  });

  it("gives every event of every batch exactly one outcome", async () => {
    await filled.addBatches(reader.identity, [
      { id: idOf(1), stored: 10, claimedTwice: 3, storedTwice: 2, refused: 5, refusedTwice: 1, conflict: 1 },
      { id: idOf(2), stored: 4, unwritable: 2, expired: 6, erased: 7 },
    ]);
    const { data, meta } = await ask();
    expect(data).toEqual([
      { received: 40, stored: 14, duplicate: 6, quarantined: 7, expired: 6, erased: 7, in_flight: 0 },
    ]);
    expect(meta["newest_stored_at"]).not.toBeNull();
  });

  it("counts the events in the log that the store has not yet", async () => {
    for (const [number, events] of [
      [1, 10],
      [2, 20],
      [3, 30],
    ]) {
      await producer.publish(0, record(number!, events!));
    }
    await filled.addBatches(reader.identity, [{ id: idOf(1), offset: 0, stored: 10 }]);
    expect((await ask()).data).toEqual([{ ...nothing, received: 60, stored: 10, in_flight: 50 }]);
    await filled.addBatches(reader.identity, [{ id: idOf(2), offset: 1, stored: 20 }]);
    expect((await ask()).data).toEqual([{ ...nothing, received: 60, stored: 30, in_flight: 30 }]);
    await filled.addBatches(reader.identity, [{ id: idOf(3), offset: 2, stored: 30 }]);
    expect((await ask()).data).toEqual([{ ...nothing, received: 60, stored: 60 }]);
  });

  it("counts a batch once, though its record lies in the log twice", async () => {
    await producer.publish(0, record(1, 10));
    await filled.addBatches(reader.identity, [{ id: idOf(1), offset: 0, stored: 10 }]);
    await producer.publish(0, record(1, 10));
    await producer.publish(0, record(2, 7));
    await producer.publish(0, record(2, 7));
    expect((await ask()).data).toEqual([{ ...nothing, received: 17, stored: 10, in_flight: 7 }]);
  });

  it("reads each waiting record once, however often it is asked", async () => {
    let reads = 0;
    const counted: LogReader = {
      ...reader,
      read: (partition, from, to) => {
        reads += 1;
        return reader.read(partition, from, to);
      },
    };
    const asking = createLedgerQuestion(filled.store.sql, counted, systemClock);
    await producer.publish(0, record(1, 5));
    for (let turn = 0; turn < 3; turn += 1) await asking({});
    expect(reads).toBe(1);
    await producer.publish(0, record(2, 6));
    expect((await asking({})).data).toEqual([{ ...nothing, received: 11, in_flight: 11 }]);
    expect(reads).toBe(2);
  });

  it("splits by project and by hour, in flight included", async () => {
    await filled.addBatches(reader.identity, [
      { id: idOf(1), offset: 0, stored: 1, at: "2026-11-20T10:59:59.999Z" },
      { id: idOf(2), offset: 0, stored: 2, at: "2026-11-20T11:00:00Z" },
      { id: idOf(3), offset: 0, stored: 4, project: "blog", at: "2026-11-20T11:00:00Z" },
    ]);
    await producer.publish(0, record(9, 99));
    await producer.publish(0, record(4, 8));
    expect((await ask({ by: ["project"] })).data).toEqual([
      { project: "blog", ...nothing, received: 4, stored: 4 },
      { project: "shop", ...nothing, received: 11, stored: 3, in_flight: 8 },
    ]);
    expect((await ask({ by: ["hour"], project: ["shop"] })).data).toEqual([
      { hour: "2026-11-20T10:00:00Z", ...nothing, received: 1, stored: 1 },
      { hour: "2026-11-20T11:00:00Z", ...nothing, received: 10, stored: 2, in_flight: 8 },
    ]);
    expect((await ask({ from: ["2026-11-20T11:00:00Z"] })).data).toEqual([
      { ...nothing, received: 14, stored: 6, in_flight: 8 },
    ]);
    expect((await ask({ to: ["2026-11-19"] })).data).toEqual([nothing]);
  });

  it("names what it cannot read and never takes it as nought", async () => {
    await producer.publish(0, new Uint8Array([1, 2, 3]));
    await producer.publish(0, record(1, 3));
    const { data, meta } = await ask();
    expect(data).toEqual([{ ...nothing, received: 3, in_flight: 3 }]);
    expect(meta["unreadable"]).toContain("the record at offset 0");
  });

  it("names what the writer left apart", async () => {
    await filled.addBatches(reader.identity, [{ id: idOf(1), offset: -1, stored: 1 }]);
    await filled.store.sql`
      insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
      values ('l', 0, 0, 'record_unreadable', '', ''), ('l', 0, 1, 'batch_id_reused', '', '')`;
    await filled.store.sql`
      insert into log_holes (log_id, topic, partition, from_offset, to_offset)
      values (${reader.identity.id}, ${topic}, 0, 5, 8)`;
    const { meta } = await ask();
    await filled.store.sql`delete from quarantined_records`;
    await filled.store.sql`delete from log_holes`;
    for (const words of [
      "1 records kept whole, since they cannot",
      "another batch has",
      "3 records missing",
    ]) {
      expect(meta["unreadable"]).toContain(words);
    }
  });

  it("names offsets that retention took before they were stored", async () => {
    for (let number = 1; number <= 3; number += 1) await producer.publish(0, record(number, 1));
    forgetBefore(place.get(topic)!, 0, 2n);
    const { data, meta } = await ask();
    expect(data).toEqual([{ ...nothing, received: 1, in_flight: 1 }]);
    expect(meta["unreadable"]).toContain("offsets 0 to 1 are gone");
  });

  it("names a log that ends before what was written", async () => {
    await filled.addBatches(reader.identity, [{ id: idOf(1), offset: 7, stored: 1 }]);
    expect((await ask()).meta["unreadable"]).toContain("ends at 0, before 8");
  });

  it("answers while the log does not, and says so", async () => {
    await filled.addBatches(reader.identity, [{ id: idOf(1), stored: 5 }]);
    const silent: LogReader = { ...reader, ranges: () => new Promise(() => {}) };
    const asking = createLedgerQuestion(filled.store.sql, silent, systemClock);
    const { data, meta } = await asking({});
    expect(data).toEqual([{ ...nothing, received: 5, stored: 5 }]);
    expect(meta["unreadable"]).toBe("the log does not answer");
  });

  it("counts as unread what is too slow to be read", async () => {
    await producer.publish(0, record(1, 5));
    await producer.publish(0, record(2, 5));
    const slow: LogReader = {
      ...reader,
      async *read(partition, from, to) {
        for await (const each of reader.read(partition, from, to)) {
          yield each;
          await new Promise(() => {});
        }
      },
    };
    const asking = createLedgerQuestion(filled.store.sql, slow, systemClock);
    const { data, meta } = await asking({});
    expect(data).toEqual([{ ...nothing, received: 5, in_flight: 5 }]);
    expect(meta["unread_records"]).toBe(1);
  });

  it("sums anew only when a position moved", async () => {
    await filled.addBatches(reader.identity, [{ id: idOf(1), offset: 0, stored: 1 }]);
    await ask();
    // Nobody writes the ledger without its position; done here to see that the sum is not taken again.
    await filled.store.sql`update ledger set stored = 2, published = 2, received = 2`;
    expect((await ask()).data).toEqual([{ ...nothing, received: 1, stored: 1 }]);
    await filled.store.sql`update log_positions set next_offset = next_offset + 1`;
    expect((await ask()).data[0]).toMatchObject({ stored: 2 });
  });
});
