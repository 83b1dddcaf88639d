// What a Durable Object does with batches, over SQLite as it has it: keeps, bounds, drains, and names what is refused.
import { Database } from "bun:sqlite";
import { describe, expect, it } from "vitest";
import { createObjectBuffer } from "../../edge/buffer/object-buffer.ts";
import type { ObjectStorage } from "../../edge/buffer/object-storage.ts";
import { toHex } from "../../shared/event/bytes.ts";
import { silentLogger } from "../../shared/logger.ts";
import { WeirError } from "../../shared/problem.ts";
import { packBatch } from "../../shared/wire/batch.ts";
import { batchOf } from "../collector/batches.ts";
import { manualClock } from "../support/clock.ts";
import { now } from "./support.ts";

function scene(send: (id: number) => Promise<void>, bytesMax = 1e6) {
  const database = new Database(":memory:");
  let alarmAt: number | null = null;
  const storage: ObjectStorage = {
    sql: {
      exec(query, ...values) {
        const rows = database.query(query).all(...(values as never[])) as Record<string, unknown>[];
        return { toArray: () => rows };
      },
    },
    getAlarm: async () => alarmAt,
    async setAlarm(timeMs) {
      alarmAt = timeMs;
    },
    sync: async () => undefined,
    transactionSync: (work) => database.transaction(work)(),
  };
  const clock = manualClock(now);
  const sent: number[] = [];
  const collector = async () => ({
    async send(batch: { batchId: Uint8Array; count: number }) {
      const id = batch.batchId[15]!;
      await send(id);
      sent.push(id);
      return { batchId: batch.batchId, outcomes: new Uint8Array(batch.count) };
    },
    ready: async () => undefined,
    close: async () => undefined,
  });
  const buffer = createObjectBuffer({ storage, clock, logger: silentLogger, bytesMax, collector });
  return { buffer, sent, alarm: () => alarmAt };
}

const made = (id: number) => batchOf(id, [{ identity: id }]);
const idOf = (id: number): Uint8Array => made(id).batchId.with(15, id);
const bytesOf = (id: number): Uint8Array => packBatch({ ...made(id), batchId: idOf(id) });

describe("a buffer's object", () => {
  it("keeps a batch once, and brings all of them", async () => {
    const { buffer, sent, alarm } = scene(async () => undefined);
    for (const id of [1, 2, 3, 2]) expect(await buffer.put(bytesOf(id))).toBe(true);
    expect(buffer.state()).toMatchObject({ batches: 3, events: 3, refused: 0 });
    const { batches, last } = buffer.list(1);
    expect(batches).toMatchObject([{ project: "shop", events: 1, refused: null }, { events: 1 }]);
    expect([batches[0]!.batch_id, last]).toEqual([toHex(idOf(2)).toUpperCase(), 3]);
    expect(buffer.list(last)).toEqual({ batches: [], last });
    expect(alarm()).toBe(now + 1_000);
    await buffer.drain();
    expect(sent.toSorted()).toEqual([1, 2, 3]);
    expect(buffer.state()).toMatchObject({ batches: 0, bytes: 0, oldest_received_at: null });
  });

  it("has no room past its bound, and has it again once something went out", async () => {
    const { buffer } = scene(async () => undefined, bytesOf(2).length);
    expect([await buffer.put(bytesOf(1)), await buffer.put(bytesOf(2))]).toEqual([true, false]);
    await buffer.drain();
    expect(await buffer.put(bytesOf(2))).toBe(true);
  });

  it("keeps what cannot be taken now, and looks again", async () => {
    let isDown = true;
    const { buffer, sent, alarm } = scene(async () => {
      if (isDown) throw new WeirError("log_unavailable", "The log is down.");
    });
    await buffer.put(bytesOf(1));
    await buffer.drain();
    expect([sent, buffer.state().batches]).toEqual([[], 1]);
    expect(alarm()).toBeGreaterThan(now);
    isDown = false;
    await buffer.drain();
    expect(sent).toEqual([1]);
  });

  it("keeps by its reason what the collector calls too old, and holds up no other", async () => {
    const { buffer, sent } = scene(async (id) => {
      if (id !== 1) return;
      const cause = new WeirError("batch_too_old", "It was held back for too long.");
      throw new WeirError("not_ready", "The collector does not take this edge's batches.", { cause });
    });
    for (const id of [1, 2]) await buffer.put(bytesOf(id));
    await buffer.drain();
    expect(sent).toEqual([2]);
    expect(buffer.state()).toMatchObject({ batches: 1, refused: 1 });
  });
});
