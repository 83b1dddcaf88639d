// Two collectors, one log and one store: what the claims know of an event, and what is durable of it.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient } from "bun";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Consume, startConsume } from "../../aggregator/consume.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { claimPrefix, openClaims } from "../../collector/claims/open.ts";
import { type Collect, createCollect } from "../../collector/collect.ts";
import { createPublisher } from "../../collector/publish.ts";
import { createReceipts } from "../../collector/receipt.ts";
import { createSettler } from "../../collector/settle.ts";
import { systemClock } from "../../shared/clock.ts";
import { type LogProducer, type LogReader, PublishError } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type Batch, outcome } from "../../shared/wire/batch.ts";
import { batchOf, type Sketch } from "../aggregator/records.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";

const { published, inDoubt, duplicate } = outcome;
const minutes = 60_000;

interface Station {
  collect: Collect;
  /** Nothing goes out until the answered function is called. */
  hold(): () => void;
  /** How many publishes are held. */
  waiting(): number;
  /** The next publish fails, having stored nothing, and nobody knows that. */
  loseNext(): void;
}

describeWith(["redis", "kafka"], "an event that", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-known-"));
  const ends: (() => Promise<unknown>)[] = [];
  let store: Store;
  let reader: LogReader;
  let consume: Consume;
  let first: Station;
  let second: Station;

  beforeAll(async () => {
    store = await openScene("embedded:", folder);
    ends.push(() => closeScene(store));
    const topic = `weir.known.${randomBytes(4).toString("hex")}`;
    const log = await openLog(serviceUrl("kafka"), { topic, partitions: 4, replication: 1, allowWeak: true });
    await log.create();
    reader = await log.reader();
    ends.push(() => reader.close());
    const observed = { clock: systemClock, meter: silentMeter, logger: silentLogger };
    consume = await startConsume({ store, consumer: await log.consumer(topic), ...observed });
    ends.push(() => consume.close());
    const station = async (name: string): Promise<Station> => {
      const producer = await log.producer();
      ends.push(() => producer.close());
      const claims = await openClaims(serviceUrl("redis"), { prefix: claimPrefix(producer.identity) });
      ends.push(() => claims.close());
      return stationOn(name, producer, claims);
    };
    [first, second] = [await station("first"), await station("second")];
  }, minutes);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(folder, { recursive: true, force: true });
  }, minutes);

  const send = async (station: Station, batch: Batch): Promise<number[]> => [
    ...(await station.collect(batch)).outcomes,
  ];
  const forgetClaims = async (): Promise<void> => {
    const client = new RedisClient(serviceUrl("redis"));
    await client.send("FLUSHALL", []);
    client.close();
  };
  const quiet = (): Promise<void> =>
    until("nothing is in flight", 20_000, async () => {
      const { in_flight } = await reconcile({ store, reader });
      return in_flight === 0;
    });
  const rowsOf = async (name: string): Promise<number> => {
    const [row] = await store.sql`select count(*)::int as rows from events where event_id = ${name}`;
    return row?.["rows"] as number;
  };
  /** What the ledger says of one batch, without what is nought. */
  const accountOf = async (batch: Batch): Promise<Record<string, number>> => {
    const [row] = await store.sql`
      select received, duplicate_claimed, stored, duplicate_stored, conflict, (
        select count(*) from ledger_retransmissions r where r.batch_id = ledger.batch_id
      )::int as retransmitted
      from ledger where batch_id = ${Buffer.from(batch.batchId).toString("hex")}::uuid`;
    return Object.fromEntries(Object.entries(row ?? {}).filter(([, value]) => value !== 0));
  };
  const closes = async (): Promise<void> => {
    expect(await reconcile({ store, reader })).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
  };
  const at = Date.now() - 60_000;
  const one = (name: string, sketch: Partial<Sketch> = {}): Batch =>
    batchOf([{ name, at, ...sketch }], { receivedAt: Date.now() });

  it("is neither known nor durable is published, and stored", async () => {
    const batch = one("new");
    expect(await send(first, batch)).toEqual([published]);
    await quiet();
    expect(await rowsOf("new")).toBe(1);
    expect(await accountOf(batch)).toEqual({ received: 1, stored: 1 });
    await closes();
  });

  it("is durable and known is a duplicate by the claims", async () => {
    await send(first, one("both"));
    await quiet();
    const copy = one("both");
    expect(await send(second, copy)).toEqual([duplicate]);
    await quiet();
    expect(await rowsOf("both")).toBe(1);
    expect(await accountOf(copy)).toEqual({ received: 1, duplicate_claimed: 1 });
    await closes();
  });

  it("is durable and no longer known is published again, and a duplicate by the store", async () => {
    await send(first, one("forgotten"));
    await quiet();
    await forgetClaims();
    const copy = one("forgotten");
    expect(await send(second, copy)).toEqual([published]);
    await quiet();
    expect(await rowsOf("forgotten")).toBe(1);
    expect(await accountOf(copy)).toEqual({ received: 1, duplicate_stored: 1 });
    await closes();
  });

  it("is known and not durable is published by whoever brings it next, and stored", async () => {
    first.loseNext();
    await expect(first.collect(one("claimed"))).rejects.toMatchObject({ code: "log_unavailable" });
    const copy = one("claimed");
    expect(await send(second, copy)).toEqual([inDoubt]);
    await quiet();
    expect(await rowsOf("claimed")).toBe(1);
    expect(await accountOf(copy)).toEqual({ received: 1, stored: 1 });
    // The number given up is told of by the collector's next record.
    await send(first, one("after"));
    await quiet();
    await closes();
  });

  it("has another content than the one that is known is decided by the store", async () => {
    await send(first, one("changed", { content: "one" }));
    // Of two that are written together either may be the one that is kept.
    await quiet();
    const other = one("changed", { content: "two" });
    expect(await send(second, other)).toEqual([inDoubt]);
    await quiet();
    expect(await rowsOf("changed")).toBe(1);
    expect(await accountOf(other)).toEqual({ received: 1, conflict: 1 });
    await closes();
  });

  it("comes again at another collector while the first still has it is decided by the store", async () => {
    const batch = one("twice");
    const letGo = first.hold();
    const slow = send(first, batch);
    await until("the first has claimed it", 5_000, () => first.waiting() === 1);
    expect(await send(second, one("twice"))).toEqual([inDoubt]);
    expect(await send(second, one("twice"))).toEqual([duplicate]);
    letGo();
    expect(await slow).toEqual([published]);
    await quiet();
    expect(await rowsOf("twice")).toBe(1);
    expect(await accountOf(batch)).toEqual({ received: 1, duplicate_stored: 1 });
    await closes();
  });

  it("is resent in its batch at another collector while the first still runs is written once", async () => {
    const batch = one("resent");
    const letGo = first.hold();
    const slow = send(first, batch);
    await until("the first has claimed it", 5_000, () => first.waiting() === 1);
    expect(await send(second, batch)).toEqual([inDoubt]);
    await quiet();
    expect(await accountOf(batch)).toEqual({ received: 1, stored: 1 });
    letGo();
    expect(await slow).toEqual([published]);
    await quiet();
    expect(await rowsOf("resent")).toBe(1);
    expect(await accountOf(batch)).toEqual({ received: 1, stored: 1, retransmitted: 1 });
    await closes();
  });
});

function stationOn(
  name: string,
  producer: LogProducer,
  claims: Awaited<ReturnType<typeof openClaims>>,
): Station {
  let held: Promise<void> | undefined;
  let losing = false;
  let waiting = 0;
  const harmed: LogProducer = {
    ...producer,
    async publish(partition, record) {
      waiting += 1;
      await held;
      waiting -= 1;
      if (losing) {
        losing = false;
        throw new PublishError("unknown", "the answer was lost, and the record too");
      }
      await producer.publish(partition, record);
    },
  };
  const settler = createSettler(claims);
  const receipts = createReceipts(name, Date.now());
  const publisher = createPublisher({ producer: harmed, receipts });
  const collect = createCollect({ claims, publisher, settler, clock: systemClock });
  return {
    collect: async (batch) => {
      const answer = await collect(batch);
      await settler.idle();
      return answer;
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    waiting: () => waiting,
    loseNext() {
      losing = true;
    },
  };
}
