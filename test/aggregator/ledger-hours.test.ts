// Old batches become hourly sums: every answer stays the same, whoever folds and however often.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startConsume } from "../../aggregator/consume.ts";
import { decodeRecord, isDecoded } from "../../aggregator/decode.ts";
import { startFolding } from "../../aggregator/ledger/folding.ts";
import { foldStep } from "../../aggregator/ledger/hours.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import { retryRecords } from "../../aggregator/quarantine/records.ts";
import { createLedgerQuestion } from "../../aggregator/read/ask-ledger.ts";
import { ledgerParameters } from "../../aggregator/read/ledger.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import type { Log, LogReader, ReadRecord } from "../../shared/log/log.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { until } from "../support/until.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, countRows, openScene } from "./scene.ts";

const hour = 3_600_000;
const minutes = 60_000;
const days = 14;
const later = (): number => Math.max(Date.now(), noon) + 20 * 24 * hour;
const parts = { clock: systemClock, meter: silentMeter, logger: silentLogger };

describe("the ledger's hours", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-hours-"));
  let store: Store;
  let log: Log;
  let reader: LogReader;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
  }, minutes);
  afterAll(async () => {
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await store.sql`
      truncate events, ledger, ledger_retransmissions, ledger_hours, ledger_folded, collector_runs, log_positions,
        quarantine, quarantined_records, ledger_horizon, fresh_events, stale_days`;
    log = memoryLog(new Map(), { topic: "events", partitions: 2 });
    await log.create();
    reader = await log.reader();
    await fill(0);
  });

  /** Twelve batches of two projects over six hours: copies, refused, resent, given up, and number 5 missing. */
  const fill = async (from: number): Promise<void> => {
    const producer = await log.producer();
    for (let at = from; at < from + 12; at += 1) {
      if (at === 5) continue;
      const refusal = { code: "event_malformed" as const, pointer: "/type", detail: "none" };
      const record = recordOf(
        [
          { name: `e-${at}` },
          { name: `e-${at - 1}` },
          { name: `w-${at}`, fields: { identity: "content" } },
          at % 3 === 0
            ? { name: `r-${at}`, refusal: refusal as never }
            : { name: "d", outcome: outcome.duplicate },
        ],
        {
          project: at % 2 === 0 ? "p" : "q",
          receivedAt: noon + at * (hour / 2),
          receipt: {
            collector: "c",
            start: 1,
            number: at,
            lowestOpen: at,
            givenUp: at === 9 ? [8] : [],
            spool: 1,
          },
        },
      );
      if (at === 8) continue;
      await producer.publish(at % 2, record);
      if (at % 4 === 0) await producer.publish(at % 2, record);
    }
    await producer.close();
    await write(systemClock);
  };
  const write = async (clock: Clock): Promise<void> => {
    const consume = await startConsume({ ...parts, clock, store, consumer: await log.consumer("g") });
    await until("all is written", 20_000, async () => {
      const { partitions } = await reconcile({ store, reader });
      return partitions.every(({ next_offset, log_end }) => next_offset === log_end);
    });
    await consume.close();
  };
  const fold = (rowsMax?: number) => foldStep({ store, reader, days, nowMs: later(), rowsMax });
  const answers = async () => {
    const by = async (asked: Record<string, string>) => {
      const { groups, ...rest } = await reconcile({ store, reader, asked: ledgerParameters.parse(asked) });
      return { ...rest, groups };
    };
    const { data, meta } = await createLedgerQuestion(store.sql, reader, systemClock)({ by: ["hour"] });
    return [
      await by({ by: "project" }),
      await by({ by: "hour" }),
      await by({ project: "q", from: new Date(noon + hour).toISOString() }),
      { data, newest: meta["newest_stored_at"] },
    ];
  };

  it("answer as their batches did, while they are folded step by step", async () => {
    const before = await answers();
    expect(before[0]).toMatchObject({ ok: false, lost: 1, received: 40 });
    const rows = await countRows(store, "ledger");
    const again = await countRows(store, "ledger_retransmissions");
    expect([rows, again]).toEqual([10, 2]);
    let folded = 0;
    for (;;) {
      const step = await fold(3);
      expect(step).toBeLessThanOrEqual(3);
      if (step === 0) break;
      folded += step;
      expect(await answers()).toEqual(before);
    }
    expect(folded).toBe(rows + again);
    expect(await countRows(store, "ledger")).toBe(0);
    expect(await countRows(store, "ledger_retransmissions")).toBe(0);
    await fill(12);
    expect(await reconcile({ store, reader })).toMatchObject({ lost: 1, received: 88, in_flight: 0 });
    while ((await fold()) > 0);
    const [run] = await store.sql`select numbers::text, lowest_open::int from collector_runs`;
    expect(run).toEqual({ numbers: "{[0,5),[6,24)}", lowest_open: 23 });
    expect(await reconcile({ store, reader })).toMatchObject({ lost: 1, received: 88 });
  });

  it("are the same where several fold at once", async () => {
    const before = await answers();
    for (let round = 0; round < 12; round += 1) await Promise.all([fold(2), fold(2), fold(2)]);
    expect(await countRows(store, "ledger")).toBe(0);
    expect(await answers()).toEqual(before);
  });

  it("wait for records that lie in the log for as long", async () => {
    const producer = await log.producer();
    await producer.publish(1, recordOf([{ name: "waits" }]));
    await producer.close();
    expect(await fold()).toBe(0);
    expect(await countRows(store, "ledger")).toBe(10);
  });

  it("are never counted twice: a copy of a folded batch is kept apart until somebody decides", async () => {
    expect(await fold(3)).toBe(3);
    const known = new Set(
      (await store.sql`select batch_id from ledger`).map((row) => String(row["batch_id"])),
    );
    const before = await reconcile({ store, reader });
    // One copy of each: of two that are read at once, the second is a resend of the first.
    const copies = new Map<string, ReadRecord>();
    for (const [partition, { end }] of await reader.ranges()) {
      for await (const copy of reader.read(partition, 0n, end)) {
        const read = decodeRecord(partition, copy);
        if (isDecoded(read)) copies.set(read.batchId, copy);
      }
    }
    const forgotten = [...copies.keys()].filter((batchId) => !known.has(batchId));
    expect(forgotten).toHaveLength(3);
    const producer = await log.producer();
    for (const copy of copies.values()) await producer.publish(1, copy.value);
    await producer.publish(1, recordOf([{ name: "young" }], { receivedAt: later() - hour }));
    await producer.close();
    await write({ ...systemClock, now: later });
    const kept = { ok: false, too_old: forgotten.length, received: before.received + 1 };
    expect(await reconcile({ store, reader })).toMatchObject({ ...kept, stored: before.stored + 1 });
    const rows = await store.sql`select record_id, reason from quarantined_records`;
    expect(new Set(rows.map((row) => row["reason"]))).toEqual(new Set(["batch_too_old"]));
    expect(rows).toHaveLength(forgotten.length);
    const ids = rows.map((row) => `r${row["record_id"]}`);
    const answer = await retryRecords(
      { ...parts, store },
      { selection: { ids }, asNew: false, actor: "test" },
    );
    expect(answer.stored).toBe(0);
    const after = await reconcile({ store, reader });
    expect(after).toMatchObject({ too_old: 0, stored: before.stored + 1 });
    expect(after.checks.filter(({ ok }) => !ok)).toEqual([]);
  });

  it("are made by themselves, and no batch that is young", async () => {
    expect(await foldStep({ store, reader, days, nowMs: Date.now() })).toBe(0);
    expect(await foldStep({ store, reader, days: 40, nowMs: later() })).toBe(0);
    const clock = { ...systemClock, now: later };
    expect(await countRows(store, "ledger")).toBe(10);
    const folding = startFolding({ ...parts, store, reader, clock, days, everyMs: 10, rowsMax: 4 });
    await until("all are folded", 10_000, async () => (await countRows(store, "ledger")) === 0);
    await folding.close();
  });
});
