// Logs that lose what they promised to keep, under a running aggregator: seen, entered, alarmed, gone on.
import { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin } from "@platformatic/kafka";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Following, followLog } from "../../aggregator/follow.ts";
import { type ReconcileAnswer, reconcile } from "../../aggregator/ledger/reconcile.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentMeter } from "../../shared/meter.ts";
import { startKafka } from "../faults/server-kafka.ts";
import type { Server } from "../faults/servers.ts";
import { describeWith } from "../support/services.ts";
import { until } from "../support/until.ts";
import { recordOf } from "./records.ts";
import { closeScene, openScene } from "./scene.ts";

const minutes = 120_000;

/** What a log's owner can do to it. */
interface Harm {
  log: Log;
  /** The first records of partition 0 up to this offset are gone. */
  forget(before: number): Promise<void>;
  /** The records of partition 0 from this offset on are gone, and it grows from there. */
  cut(end: number): void | Promise<void>;
  /** The topic is removed and made again. */
  remake(): Promise<void>;
  close(): Promise<void>;
}

/** By how many records a log grows again of which three are cut off, and whether that is under a running aggregator. */
interface Cut {
  grown: number;
  isRunning: boolean;
}

function suite(cuts: readonly Cut[], openHarm: (folder: string) => Promise<Harm>): void {
  const scenes = mkdtempSync(join(tmpdir(), "weir-follow-"));
  let store: Store;
  let harm: Awaited<ReturnType<typeof openHarm>>;
  let running: Following | undefined;
  let alarms: string[];
  let sent: number;
  beforeAll(async () => {
    store = await openScene(`embedded:${scenes}/postgres`);
  }, minutes);
  afterAll(async () => {
    await closeScene(store);
    rmSync(scenes, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await store.sql`
      truncate events, ledger, ledger_retransmissions, log_positions, log_holes, log_rewinds, log_replacements, fresh_events, stale_days`;
    harm = await openHarm(mkdtempSync(join(scenes, "case-")));
    await harm.log.create();
    alarms = [];
    sent = 0;
  });
  afterEach(async () => {
    await running?.close();
    running = undefined;
    await harm.close();
  });

  const follow = async (): Promise<void> => {
    const count = (name: string, _: number, at?: Record<string, unknown>) => {
      if (name === "weir.aggregator.alarms") alarms.push(String(at?.["weir.code"]));
    };
    const logger = {
      info() {},
      error: (code: string) => void (code.startsWith("log_") && alarms.push(`said ${code}`)),
    };
    running = await followLog({
      ...{ store, log: harm.log, group: `g-${randomBytes(4).toString("hex")}`, lookEveryMs: 300 },
      ...{ clock: systemClock, meter: { ...silentMeter, count } as never, logger: logger as never },
    });
  };
  const publish = async (partition: number, records: number): Promise<void> => {
    const producer = await harm.log.producer();
    for (let at = 0; at < records; at += 1) {
      sent += 1;
      await producer.publish(partition, recordOf([{ name: `e-${sent}` }], { receipt: { number: sent } }));
    }
    await producer.close();
  };
  const prove = async (): Promise<ReconcileAnswer> => {
    const reader = await harm.log.reader();
    try {
      return await reconcile({ store, reader });
    } finally {
      await reader.close();
    }
  };
  const stored = (count: number) =>
    until(`${count} are stored`, 60_000, async () => (await prove()).stored === count);
  const broken = ({ checks }: ReconcileAnswer) => checks.filter(({ ok }) => !ok);

  it(
    "enters a hole and writes what lies behind it and beside it",
    async () => {
      await publish(0, 6);
      await publish(1, 3);
      await harm.forget(4);
      await follow();
      await stored(5);
      const answer = await prove();
      expect(answer).toMatchObject({ ok: false, lost: 4, in_flight: 0, received: 5 });
      expect(broken(answer)).toEqual([]);
      expect(alarms).toEqual(expect.arrayContaining(["log_hole", "said log_hole"]));
      await publish(0, 1);
      await stored(6);
    },
    minutes,
  );

  it(
    "enters a hole with nothing behind it",
    async () => {
      await publish(0, 2);
      await publish(1, 1);
      await harm.forget(2);
      await follow();
      await until("it is entered", 60_000, () => alarms.includes("log_hole"));
      await stored(1);
      expect(await prove()).toMatchObject({ ok: false, lost: 2, in_flight: 0 });
      await publish(0, 2);
      await stored(3);
      const answer = await prove();
      expect(answer).toMatchObject({ ok: false, lost: 2 });
      expect(broken(answer)).toEqual([]);
    },
    minutes,
  );

  it(
    "sees that the log was made anew while it runs, and goes on with the new one from its start",
    async () => {
      await publish(0, 3);
      await follow();
      await stored(3);
      await harm.remake();
      await publish(0, 2);
      await publish(1, 2);
      await stored(7);
      expect(alarms).toEqual(expect.arrayContaining(["log_replaced", "said log_replaced"]));
      const answer = await prove();
      expect(answer).toMatchObject({ ok: false, lost: 0, in_flight: 0 });
      expect(answer.unaccounted).toEqual([expect.stringContaining("was made anew")]);
      expect(broken(answer)).toEqual([]);
      expect(running!.reader.identity.id).not.toBe("");
      expect([...(await running!.reader.ranges()).values()].map(({ end }) => end)).toEqual([2n, 2n]);
    },
    minutes,
  );

  it(
    "goes back to where a log ends that became shorter while it runs, and writes what is put there",
    async () => {
      await publish(0, 5);
      await publish(1, 1);
      await follow();
      await stored(6);
      await harm.cut(3);
      await until("it is entered", 60_000, () => alarms.includes("log_shorter"));
      await publish(1, 1);
      await publish(0, 3);
      await stored(10);
      const answer = await prove();
      expect(answer).toMatchObject({ ok: false, lost: 2, in_flight: 0, received: 10 });
      expect(broken(answer)).toEqual([]);
      const first = answer.partitions.find(({ partition }) => partition === 0);
      expect(first).toMatchObject({ next_offset: "6", log_end: "6" });
    },
    minutes,
  );

  it.each(cuts)(
    "goes back to where a log was cut off that has grown by $grown again (running: $isRunning)",
    async ({ grown, isRunning }) => {
      await publish(0, 5);
      await publish(1, 2);
      await follow();
      await stored(7);
      if (!isRunning) await running!.close();
      await harm.cut(2);
      await publish(0, grown);
      if (!isRunning) await follow();
      await stored(7 + grown);
      expect(alarms).toEqual(expect.arrayContaining(["log_shorter", "said log_shorter"]));
      const answer = await prove();
      expect(answer).toMatchObject({ ok: false, lost: 3, in_flight: 0, received: 7 + grown });
      expect(broken(answer)).toEqual([]);
      await publish(0, 1);
      await stored(8 + grown);
      expect((await prove()).lost).toBe(3);
    },
    minutes,
  );
}

describe("an aggregator on a file's log", () => {
  const cuts = [2, 3, 6].flatMap((grown) => [true, false].map((isRunning) => ({ grown, isRunning })));
  suite(cuts, async (folder) => {
    const path = `${folder}/log.sqlite`;
    const log = await openLog(`sqlite:${path}`, { topic: "events", partitions: 2, allowWeak: true });
    const edit = (...statements: string[]): void => {
      const file = new Database(path);
      file.transaction(() => statements.forEach((one) => void file.run(one)))();
      file.close();
    };
    return {
      log,
      async forget(before) {
        edit(
          `delete from records where partition = 0 and offset < ${before}`,
          `update partitions set start = ${before} where partition = 0`,
        );
      },
      cut: (end) =>
        edit(
          `delete from records where partition = 0 and offset >= ${end}`,
          `update partitions set next = ${end} where partition = 0`,
        ),
      async remake() {
        for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
        await log.create();
      },
      close: async () => {},
    };
  });
});

describeWith(["kafka"], "an aggregator on a broker", () => {
  let server: Server | undefined;
  afterAll(() => server?.close());
  // A restart takes a broker some seconds, and one under a running aggregator is in the suite already.
  const restarted = { grown: 3, isRunning: false };
  const cuts =
    process.env["WEIR_TEST_LONG"] === "1" ? [{ grown: 6, isRunning: true }, restarted] : [restarted];
  suite(cuts, async () => {
    server ??= await startKafka();
    const { url, folder } = server;
    const topic = `follow-${randomBytes(4).toString("hex")}`;
    const admin = new Admin({ clientId: "weir-test", bootstrapBrokers: [url.slice("kafka://".length)] });
    const log = await openLog(url, { topic, partitions: 2, allowWeak: true });
    return {
      log,
      async forget(offset) {
        const partitions = [{ partition: 0, offset: BigInt(offset) }];
        await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
      },
      // As a broker comes back whose disk never had the newest of what it took.
      async cut(end) {
        await server!.kill();
        cutSegment(join(folder, "data", `${topic}-0`, `${"0".repeat(20)}.log`), end);
        await server!.start();
      },
      async remake() {
        await admin.deleteTopics({ topics: [topic] });
        await log.create();
      },
      close: async () => void (await admin.close()),
    };
  });
});

// A segment is batches of records one after another: base offset, 8 bytes, and length of the rest, 4 bytes.
function cutSegment(path: string, end: number): void {
  const bytes = readFileSync(path);
  let at = 0;
  while (at < bytes.length && bytes.readBigInt64BE(at) < end) at += 12 + bytes.readInt32BE(at + 8);
  truncateSync(path, at);
}
