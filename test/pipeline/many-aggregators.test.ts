// Many aggregators in one group of a real broker, coming and going under load: every event once.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Consume, startConsume } from "../../aggregator/consume.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import type { Log, LogProducer, LogReader } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { noon, recordOf } from "../aggregator/records.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";

const minutes = 3 * 60_000;
const partitions = 24;
const members = 5;
const changes = 6;
const eventsEach = 50;

describeWith(["kafka", "postgres"], "five aggregators in one group", () => {
  const ends: (() => Promise<unknown>)[] = [];
  let store: Store;
  let log: Log;
  let producer: LogProducer;
  let reader: LogReader;

  beforeAll(async () => {
    store = await openScene(serviceUrl("postgres"));
    ends.push(() => closeScene(store));
    const topic = `weir.many.${randomBytes(4).toString("hex")}`;
    log = await openLog(serviceUrl("kafka"), { topic, partitions, replication: 1, allowWeak: true });
    await log.create();
    producer = await log.producer();
    ends.push(() => producer.close());
    reader = await log.reader();
    ends.push(() => reader.close());
  }, minutes);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, minutes);

  const join = async (): Promise<{ consume: Consume; leave(): Promise<void> }> => {
    const own = await openStore(serviceUrl("postgres"), { schema: store.schema, dataDir: "" });
    const observed = { clock: systemClock, meter: silentMeter, logger: silentLogger };
    const consume = await startConsume({ store: own, consumer: await log.consumer("many"), ...observed });
    return {
      consume,
      async leave() {
        await consume.close();
        await own.close();
      },
    };
  };

  it(
    "write every event once while partitions move from one to another under load",
    async () => {
      const group = await Promise.all(Array.from({ length: members }, join));
      let sent = 0;
      let isOver = false;
      const highest = new Map<number, bigint>();
      const loading = (async () => {
        while (!isOver) {
          await Promise.all(
            Array.from({ length: partitions }, async (_, partition) => {
              const number = sent;
              sent += 1;
              // Each record repeats an event of the one before, which lies in another partition.
              const events = Array.from({ length: eventsEach }, (_unused, index) => ({
                name: `e-${number * (eventsEach - 1) + index}`,
                at: noon,
              }));
              const receipt = { collector: "c", start: 1, number, lowestOpen: 0 };
              await producer.publish(partition, recordOf(events, { receipt }));
            }),
          );
          for (const row of await store.sql`select partition, next_offset, epoch from log_positions`) {
            const partition = Number(row["partition"]);
            const next = BigInt(String(row["next_offset"]));
            expect(next >= (highest.get(partition) ?? 0n)).toBe(true);
            highest.set(partition, next);
          }
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      })();
      try {
        for (let change = 0; change < changes; change += 1) {
          const begun = sent;
          await group.shift()!.leave();
          group.push(await join());
          await until("the load goes on", 20_000, () => sent > begun + partitions * 4);
        }
      } finally {
        isOver = true;
        await loading;
      }
      await until("nothing is in flight", 30_000, async () => {
        const { in_flight } = await reconcile({ store, reader });
        return in_flight === 0;
      });
      const events = sent * (eventsEach - 1) + 1;
      expect(await reconcile({ store, reader })).toMatchObject({
        ok: true,
        received: sent * eventsEach,
        stored: events,
        duplicate: sent * eventsEach - events,
        rows_present: events,
        lost: 0,
      });
      // Had no partition moved, nothing would be shown.
      const [moved] = await store.sql`select sum(epoch)::int as times from log_positions`;
      expect(moved?.["times"]).toBeGreaterThan(partitions + changes);
      await Promise.all(group.map(({ leave }) => leave()));
    },
    minutes,
  );
});
