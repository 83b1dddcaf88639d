// What lies in the log and is not written yet: read beside the owners, moving nothing.
import type { LogReader, ReadRecord } from "../../shared/log/log.ts";
import { type DecodedRecord, decodeRecord, isDecoded } from "../decode.ts";
import type { Position } from "../fence.ts";

/** One receipt, as the check for lost records needs it. */
export interface SeenReceipt {
  collector: string;
  start: number;
  number: number;
  lowest_open: number;
  given_up: readonly number[];
  spool: number;
}

/** A batch as far as it is counted; `receivedAt` is epoch ms. */
export interface UnwrittenBatch {
  project: string;
  receivedAt: number;
  events: number;
}

export interface InFlight {
  /** Each batch once, by its id: some of them may be in the ledger already. */
  batches: Map<string, UnwrittenBatch>;
  receipts: SeenReceipt[];
  unreadable: number;
  /** Offsets the log should have and has not: trimmed before they were written, or cut off at its end. */
  missing: bigint;
  partitions: PartitionState[];
}

/** How far one partition is written, and what the log holds of it. */
export interface PartitionState {
  partition: number;
  next_offset: string;
  log_start: string;
  log_end: string;
}

/**
 * Reads every partition from where it is written to where the log ends now. The ends of partitions are not
 * read at one moment: a record may be seen whose forerunner in another partition is not. So they are read
 * twice, and only records below the first ends are believed when they call a number settled.
 */
export async function readInFlight(
  reader: LogReader,
  positions: ReadonlyMap<number, Position>,
): Promise<InFlight> {
  const found: InFlight = { batches: new Map(), receipts: [], unreadable: 0, missing: 0n, partitions: [] };
  const told = await reader.ranges();
  for (const [partition, { start, end }] of await reader.ranges()) {
    const next = positions.get(partition)?.nextOffset ?? 0n;
    found.partitions.push({
      partition,
      next_offset: String(next),
      log_start: String(start),
      log_end: String(end),
    });
    if (end < next) found.missing += next - end;
    let expected = next;
    if (end > next) {
      for await (const record of reader.read(partition, next > start ? next : start, end)) {
        found.missing += record.offset - expected;
        expected = record.offset + 1n;
        add(found, partition, record, record.offset < (told.get(partition)?.end ?? 0n));
      }
      found.missing += end - expected;
    }
  }
  return found;
}

function add(found: InFlight, partition: number, record: ReadRecord, isTold: boolean): void {
  const decoded = decodeRecord(partition, record);
  if (!isDecoded(decoded)) {
    found.unreadable += 1;
    return;
  }
  const { project, receivedAt, count: events } = decoded.record.batch;
  found.batches.set(decoded.batchId, { project, receivedAt, events });
  found.receipts.push(receiptOf(decoded, isTold));
}

// What a record says of others is taken only where those others were looked for after it was there.
function receiptOf({ record }: DecodedRecord, isTold: boolean): SeenReceipt {
  const { collector, start, number, lowestOpen, givenUp, spool = 0 } = record.receipt;
  return { collector, start, number, lowest_open: isTold ? lowestOpen : 0, given_up: givenUp, spool };
}
