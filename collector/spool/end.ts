// The last word of a run that had a spool: it is empty, so nothing acknowledged lies outside the log.
import type { Clock } from "../../shared/clock.ts";
import type { LogProducer } from "../../shared/log/log.ts";
import { partitionOf } from "../../shared/wire/partition.ts";
import { packRecord, spoolWord } from "../../shared/wire/record.ts";
import type { Receipts } from "../receipt.ts";

/**
 * Publishes a record without events that closes the run. Waits for the log at most `waitMs` and never
 * rejects: a run without this word is closed by the next one on the same folder.
 */
export async function publishEnd(
  deps: { producer: LogProducer; receipts: Receipts; clock: Clock },
  waitMs: number,
): Promise<void> {
  const { producer, receipts, clock } = deps;
  const batchId = clock.random(16);
  const none = new Uint8Array();
  const batch = {
    ...{ batchId, project: "", edge: "", receivedAt: clock.now(), traceparent: null, count: 0 },
    ...{ ids: none, hashes: none, fingerprints: none, flags: none, sizes: [], bodies: none, refusals: [] },
  };
  const record = packRecord(batch, none, receipts.take(spoolWord.emptied));
  const published = producer.publish(partitionOf(batchId, producer.identity.partitions), record);
  await Promise.race([published.catch(() => {}), clock.sleep(waitMs)]);
}
