// A log and a live store for the suites of replay: records go into the log, and are written as the suite says.
import { type ReplayAnswer, replay } from "../../aggregator/replay/replay.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createWriter, type Writer } from "../../aggregator/write.ts";
import { systemClock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { forgetBefore, type MemoryPlace, memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { closeScene, openScene } from "./scene.ts";

export interface ReplayScene {
  live: Store;
  reader: LogReader;
  writer: Writer;
  /** Another writer on the same log; it owns nothing until it takes. */
  another(): Promise<Writer>;
  publish(partition: number, ...records: Uint8Array[]): Promise<void>;
  /** Writes the next records of each partition in one transaction, in this order. */
  write(parts: readonly (readonly [partition: number, records: number])[], by?: Writer): Promise<void>;
  /** Drops what the log has before an offset. */
  forget(partition: number, start: bigint): void;
  /** An empty store in a schema of its own beside the live one, or elsewhere. */
  empty(url?: string): Promise<Store>;
  replay(into: Store, swap?: "no" | "equal" | "anyway"): Promise<ReplayAnswer>;
  close(): Promise<void>;
}

export async function openReplayScene(url: string, dataDir = "", partitions = 3): Promise<ReplayScene> {
  const live = await openScene(url, dataDir);
  const stores = [live];
  const place: MemoryPlace = new Map();
  const log = memoryLog(place, { topic: "events", partitions });
  await log.create();
  const [producer, reader] = [await log.producer(), await log.reader()];
  const writers: Writer[] = [];
  const another = async (): Promise<Writer> => {
    const quiet = { clock: systemClock, meter: silentMeter, logger: silentLogger };
    const writer = await createWriter({ store: live, identity: reader.identity, ...quiet });
    writers.push(writer);
    return writer;
  };
  const writer = await another();
  const next = new Map(await writer.take(Array.from({ length: partitions }, (_, at) => at)));
  return {
    live,
    reader,
    writer,
    another,
    async publish(partition, ...records) {
      for (const record of records) await producer.publish(partition, record);
    },
    async write(parts, by = writer) {
      const slices = [];
      for (const [partition, count] of parts) {
        const from = next.get(partition)!;
        next.set(partition, from + BigInt(count));
        slices.push({
          partition,
          records: await Array.fromAsync(reader.read(partition, from, from + BigInt(count))),
        });
      }
      await by.write(slices);
    },
    forget: (partition, start) => forgetBefore(place.get("events")!, partition, start),
    async empty(to = url) {
      const store = await openScene(to, dataDir);
      stores.push(store);
      return store;
    },
    replay: (into, swap = "no") =>
      replay({ reader, into, live, swap, actor: "test", clock: systemClock, written: () => {} }),
    async close() {
      await Promise.all(writers.map((one) => one.close()));
      for (const store of stores.reverse()) {
        const old = await store.sql`
          select nspname from pg_namespace where nspname like ${`${store.schema}\\_until\\_%`}`;
        for (const { nspname } of old) await store.sql.unsafe(`drop schema ${nspname} cascade`);
        await store.sql.unsafe(`create schema if not exists ${store.schema}`);
        await closeScene(store);
      }
    },
  };
}
