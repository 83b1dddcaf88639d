// The consumer from a log in memory to a real store: everything once, whatever comes between.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Consume, startConsume } from "../../aggregator/consume.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Log, LogProducer, LogReader } from "../../shared/log/log.ts";
import { forgetBefore, type MemoryPlace, memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type Gate, startGate } from "./gate.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, countRows, openScene } from "./scene.ts";

describe("the consumer", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-consume-"));
  let store: Store;
  let gate: Gate;
  let gated: Store;
  let place: MemoryPlace;
  let log: Log;
  let producer: LogProducer;
  let reader: LogReader;
  let running: Consume[];
  let sent: number;

  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    const port = Number(readFileSync(`${folder}/postgres/data/postmaster.pid`, "utf8").split("\n")[3]);
    const password = readFileSync(`${folder}/postgres/data/weir-password`, "utf8");
    gate = await startGate(port);
    gated = await openScene(`postgres://weir:${password}@127.0.0.1:${gate.port}/postgres`);
  });
  afterAll(async () => {
    await closeScene(gated);
    await gate.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    for (const one of [store, gated]) {
      await one.sql`
        truncate events, ledger, ledger_retransmissions, quarantine, quarantined_records, moved_events, fresh_events, stale_days,
          log_holes, log_positions`;
    }
    place = new Map();
    log = memoryLog(place, { topic: "events", partitions: 4 });
    await log.create();
    producer = await log.producer();
    reader = await log.reader();
    running = [];
    sent = 0;
  });
  afterEach(async () => {
    await Promise.all(running.map((one) => one.close()));
    await producer.close();
    await reader.close();
  });

  const start = async (into: Store): Promise<Consume> => {
    const consumer = await log.consumer("g");
    const options = { store: into, consumer, clock: systemClock, meter: silentMeter, logger: silentLogger };
    const consume = await startConsume(options);
    running.push(consume);
    return consume;
  };

  /** Publishes records of ten events each, of which the last is one of the record before. */
  const publish = async (records: number): Promise<void> => {
    for (let at = 0; at < records; at += 1) {
      const events = Array.from({ length: 10 }, (_, index) => ({
        name: `e-${sent * 9 + index}`,
        at: noon + sent,
      }));
      const receipt = { collector: "c", start: 1, number: sent, lowestOpen: sent };
      await producer.publish(
        sent % 4,
        recordOf(
          events.map((one) => ({ ...one, at: noon })),
          { receipt },
        ),
      );
      sent += 1;
    }
  };

  const settled = async (into: Store): Promise<void> => {
    const until = Date.now() + 20_000;
    for (;;) {
      const answer = await reconcile({ store: into, reader }).catch(() => undefined);
      if (answer?.in_flight === 0) return;
      if (Date.now() > until) throw new Error(`not written in time: ${answer?.in_flight} in flight`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  it("writes all partitions and proves it", async () => {
    await publish(40);
    expect(await reconcile({ store, reader })).toMatchObject({
      ok: true,
      received: 400,
      in_flight: 400,
      lost: 0,
    });
    await start(store);
    await publish(10);
    await settled(store);
    const answer = await reconcile({ store, reader });
    expect(answer.checks.filter((check) => !check.ok)).toEqual([]);
    expect(answer).toMatchObject({
      ok: true,
      received: 500,
      stored: 451,
      duplicate: 49,
      rows_present: 451,
      lost: 0,
    });
  });

  it("passes partitions on to another consumer and back", async () => {
    await start(store);
    await publish(30);
    const second = await start(store);
    await publish(30);
    await second.close();
    running.pop();
    await publish(20);
    await settled(store);
    expect(await reconcile({ store, reader })).toMatchObject({
      ok: true,
      received: 800,
      stored: 721,
      lost: 0,
    });
  });

  it("writes everything once while the way to the store is cut again and again", async () => {
    await start(gated);
    for (let round = 0; round < 15; round += 1) {
      await publish(12);
      gate.drop();
    }
    await settled(gated);
    expect(await reconcile({ store: gated, reader })).toMatchObject({
      ok: true,
      received: 1800,
      stored: 1621,
    });
  });

  it("waits for a store that is away, says so, and loses nothing", async () => {
    const consume = await start(gated);
    await publish(8);
    await settled(gated);
    gate.shut();
    await publish(8);
    const until = Date.now() + 10_000;
    while (consume.state().isWriting && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(consume.state().isWriting).toBe(false);
    gate.open();
    await settled(gated);
    expect(consume.state().isWriting).toBe(true);
    expect(await reconcile({ store: gated, reader })).toMatchObject({ ok: true, received: 160, stored: 145 });
  });

  it("goes on behind a hole in the log, notes it, and no longer calls the account closed", async () => {
    await publish(12);
    forgetBefore([...place.values()][0]!, 1, 2n);
    expect(await reconcile({ store, reader })).toMatchObject({ ok: false, lost: 2 });
    await start(store);
    await settled(store);
    const holes = await store.sql`select partition, from_offset, to_offset from log_holes`;
    expect([...holes]).toEqual([{ partition: 1, from_offset: "0", to_offset: "2" }]);
    const answer = await reconcile({ store, reader });
    expect(answer).toMatchObject({ ok: false, lost: 2, in_flight: 0 });
    expect(answer.checks.every((check) => check.ok)).toBe(true);
  });

  it("misses a record that no partition has, and not one that was given up", async () => {
    const receipt = { collector: "c", start: 9 };
    await producer.publish(
      0,
      recordOf([{ name: "a" }], { receipt: { ...receipt, number: 0, lowestOpen: 0 } }),
    );
    const third = { ...receipt, number: 2, lowestOpen: 2, givenUp: [1] };
    await producer.publish(1, recordOf([{ name: "b" }], { receipt: third }));
    await start(store);
    await settled(store);
    expect(await reconcile({ store, reader })).toMatchObject({ ok: true, lost: 0 });
    const fifth = { ...receipt, number: 4, lowestOpen: 4 };
    await producer.publish(2, recordOf([{ name: "c" }], { receipt: fifth }));
    await settled(store);
    expect(await reconcile({ store, reader })).toMatchObject({ ok: false, lost: 1 });
  });

  it("counts a resent batch in flight once and not after it was written", async () => {
    const record = recordOf([{ name: "a" }, { name: "b" }]);
    await producer.publish(0, record);
    await producer.publish(0, record);
    expect(await reconcile({ store, reader })).toMatchObject({ received: 2, in_flight: 2 });
    await start(store);
    await settled(store);
    await running.pop()!.close();
    await producer.publish(0, record);
    expect(await reconcile({ store, reader })).toMatchObject({
      ok: true,
      received: 2,
      in_flight: 0,
      stored: 2,
    });
  });

  it("does not call an account closed that holds an unreadable record", async () => {
    await producer.publish(0, new Uint8Array([0xc1]));
    expect(await reconcile({ store, reader })).toMatchObject({ ok: false, unreadable: 1, in_flight: 0 });
    await start(store);
    const until = Date.now() + 10_000;
    while ((await countRows(store, "quarantined_records")) === 0 && Date.now() < until) {}
    expect(await reconcile({ store, reader })).toMatchObject({ ok: false, unreadable: 1, lost: 0 });
  });
});
