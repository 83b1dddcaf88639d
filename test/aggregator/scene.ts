// A store, a log and writers for the suites of the aggregator's write path.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Slice } from "../../aggregator/decode.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createWriter, type WriteAnswer, type Writer } from "../../aggregator/write.ts";
import { systemClock } from "../../shared/clock.ts";
import type { LogIdentity } from "../../shared/log/log.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { reads } from "./records.ts";

/** A migrated store in a schema of its own: that of a database just copied, or a new one beside others. */
export async function openScene(url: string, dataDir = ""): Promise<Store> {
  const embedded = /^embedded:(.*)$/.exec(url)?.[1];
  const isCopied =
    embedded !== undefined && (await copyDatabase(embedded === "" ? join(dataDir, "postgres") : embedded));
  const schema = isCopied ? "weir" : `weir_${randomBytes(4).toString("hex")}`;
  const store = await openStore(url, { schema, dataDir });
  await migrate(store);
  return store;
}

/** Removes the schema and closes the store. */
export async function closeScene(store: Store): Promise<void> {
  await store.sql.unsafe(`drop schema ${store.schema} cascade`);
  await store.close();
}

/** A log that is written by hand: `append` gives records their offsets, `write` hands them to a writer. */
export interface Hand {
  identity: LogIdentity;
  writer: Writer;
  /** Another process on the same log; it owns nothing until it takes. */
  another(): Promise<Writer>;
  slice(partition: number, ...records: Uint8Array[]): Slice;
  write(partition: number, ...records: Uint8Array[]): Promise<WriteAnswer>;
  close(): Promise<void>;
}

export async function openHand(store: Store, partitions = 2): Promise<Hand> {
  const identity: LogIdentity = { id: randomBytes(8).toString("hex"), topic: "events", partitions };
  const writers: Writer[] = [];
  const another = async (): Promise<Writer> => {
    const writer = await createWriter({
      store,
      identity,
      clock: systemClock,
      meter: silentMeter,
      logger: silentLogger,
    });
    writers.push(writer);
    return writer;
  };
  const writer = await another();
  const next = new Map(await writer.take(Array.from({ length: partitions }, (_, at) => at)));
  const slice = (partition: number, ...records: Uint8Array[]): Slice => {
    const from = next.get(partition) ?? 0n;
    next.set(partition, from + BigInt(records.length));
    return { partition, records: reads(from, ...records) };
  };
  return {
    identity,
    writer,
    another,
    slice,
    write: (partition, ...records) => writer.write([slice(partition, ...records)]),
    async close() {
      await Promise.all(writers.map((one) => one.close()));
    },
  };
}

/** The sums of the ledger's columns that are not nought, for the batches of one log. */
export async function ledgerSums(store: Store, identity: LogIdentity): Promise<Record<string, number>> {
  const [row] = await store.sql`
    select
      count(*)::int as batches,
      coalesce(sum(received), 0)::int as received,
      coalesce(sum(duplicate_claimed), 0)::int as duplicate_claimed,
      coalesce(sum(refused), 0)::int as refused,
      coalesce(sum(refused_duplicate), 0)::int as refused_duplicate,
      coalesce(sum(stored), 0)::int as stored,
      coalesce(sum(duplicate_stored), 0)::int as duplicate_stored,
      coalesce(sum(conflict), 0)::int as conflict,
      coalesce(sum(unwritable), 0)::int as unwritable,
      coalesce(sum(expired), 0)::int as expired,
      coalesce(sum(erased), 0)::int as erased
    from ledger
    where log_id = ${identity.id}`;
  return Object.fromEntries(Object.entries(row ?? {}).filter(([, value]) => value !== 0));
}

/** What stands in a table of the log, or of the whole schema, as a number of rows. */
export async function countRows(store: Store, table: string): Promise<number> {
  const [row] = await store.sql`select count(*)::int as count from ${store.sql(table)}`;
  return row?.["count"] as number;
}
