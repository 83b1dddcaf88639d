// What the write path is measured against, and the write path itself, each on a schema of its own.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyHeader, copyTrailer } from "../../aggregator/copy-bytes.ts";
import { decodeSlice, isDecoded } from "../../aggregator/decode.ts";
import type { LedgerWrites } from "../../aggregator/ledger/fold.ts";
import { createPartitions } from "../../aggregator/partitions.ts";
import { makePlan, rowsToSend } from "../../aggregator/plan.ts";
import { createPump } from "../../aggregator/pump.ts";
import { eventColumnList } from "../../aggregator/rows.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createWriter } from "../../aggregator/write.ts";
import { systemClock } from "../../shared/clock.ts";
import { writeEventsMax } from "../../shared/limits.ts";
import type { LogIdentity } from "../../shared/log/log.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { openScene } from "../aggregator/scene.ts";
import { urlName } from "../services/setup.ts";
import { type Spent, spend } from "./bench.ts";
import { readAs } from "./events.ts";

/** Takes one lot; what is needed beforehand is made before the clock starts. */
export type StoreSide<Lot> = (lot: Lot) => Promise<Spent>;

const partitions = [0, 1, 2, 3];

/** The aggregator's way from the log's records to committed rows: decode, plan, fence, COPY, ledger, offsets. */
export async function writePath(
  store: Store,
  ledger?: LedgerWrites,
): Promise<StoreSide<readonly Uint8Array[]>> {
  const identity: LogIdentity = { id: store.schema, topic: "bench", partitions: partitions.length };
  const observed = { clock: systemClock, meter: silentMeter, logger: silentLogger };
  const writer = await createWriter({ store, identity, ledger, ...observed });
  const next = await writer.take(partitions);
  const pump = createPump({
    writer,
    owned: () => partitions,
    patiently: (work) => work(),
    written: ({ partition, to }) => void next.set(partition, to),
    pause: (ms) => systemClock.sleep(ms),
  });
  return async (records) => {
    const each = Math.ceil(records.length / partitions.length);
    const parts = partitions.map((partition) =>
      readAs(next.get(partition)!, records.slice(partition * each, (partition + 1) * each)),
    );
    return await spend(() => Promise.all(parts.map((part, partition) => pump.write(partition, part))));
  };
}

/** Binary COPY of the very rows, made beforehand, into the same table: what no writer can be faster than. */
export async function rawCopy(store: Store, at: number): Promise<StoreSide<readonly Uint8Array[]>> {
  await createPartitions(store).ensure([{ time: at }]);
  const session = await store.writer();
  return async (records) => {
    const { records: read } = decodeSlice({ partition: 0, records: readAs(0n, records) });
    const lots: Uint8Array[] = [];
    let group: typeof read = [];
    let events = 0;
    for (const one of read) {
      if (!isDecoded(one)) throw new Error(one.detail);
      group = [...group, one];
      events += one.record.batch.count;
      if (events < writeEventsMax && one !== read.at(-1)) continue;
      const plan = await makePlan(group.filter(isDecoded), new Map());
      lots.push(Buffer.concat([copyHeader, rowsToSend(plan), copyTrailer]));
      [group, events] = [[], 0];
    }
    return await spend(async () => {
      for (const lot of lots) {
        const copy = session.unsafe(`copy events (${eventColumnList}) from stdin (format binary)`);
        const stream = await copy.writable();
        const finished = once(stream, "finish");
        stream.end(lot);
        await finished;
      }
    });
  };
}

/** Measures on TimescaleDB where there is one, and on an embedded server that scenes share and that ends with it. */
export async function onBothStores(measure: (open: () => Promise<Store>) => Promise<void>): Promise<void> {
  const url = process.env[urlName("timescale")];
  if (url !== undefined) await measure(() => openScene(url));
  const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
  // The first to open an embedded database starts it, the scenes join it, and the first ends it.
  const server = await openStore("embedded:", { schema: "weir", dataDir: folder });
  try {
    await measure(() => openScene("embedded:", folder));
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What autovacuum would come to in its own time. */
export async function settle(store: Store): Promise<void> {
  const session = await store.writer();
  await session`set statement_timeout = 0`;
  await session`vacuum analyze`;
  await session.end();
}
