// Looks into a spool's folder without touching it: what lies there and is not in the log for certain.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toUuid } from "../event/bytes.ts";
import { unpackRecord } from "../wire/record.ts";
import { scanSegment, segmentName } from "./frame.ts";

/** One receipt, as the check for lost records needs it. */
export interface SpooledReceipt {
  collector: string;
  start: number;
  number: number;
  lowest_open: number;
  given_up: readonly number[];
  spool: number;
}

/** A batch as far as it is counted; `receivedAt` is epoch ms. */
export interface SpooledBatch {
  project: string;
  receivedAt: number;
  events: number;
}

/** `batches` by their ids. `unreadable`: damaged parts, and records that are none. */
export interface SpoolContent {
  batches: Map<string, SpooledBatch>;
  receipts: SpooledReceipt[];
  unreadable: number;
}

/** Rejects where the folder cannot be read. A segment that was drained meanwhile is passed over. */
export async function readSpool(dir: string): Promise<SpoolContent> {
  const content: SpoolContent = { batches: new Map(), receipts: [], unreadable: 0 };
  const names = readdirSync(dir).sort();
  content.unreadable += names.filter((name) => name.endsWith(".damaged")).length;
  const segments = names.filter((name) => segmentName.test(name));
  for (const name of segments) {
    const bytes = readIfThere(join(dir, name));
    if (bytes === undefined) continue;
    const { frames, damaged, end } = scanSegment(bytes);
    content.unreadable += damaged.length;
    // The last one may be growing: what is not whole there was not acknowledged yet.
    if (end < bytes.length && name !== segments.at(-1)) content.unreadable += 1;
    for (const { record } of frames) add(content, record);
  }
  return content;
}

function add(content: SpoolContent, record: Uint8Array): void {
  try {
    const { batch, receipt } = unpackRecord(record);
    const { collector, start, number, lowestOpen, givenUp, spool = 0 } = receipt;
    const { project, receivedAt, count: events } = batch;
    content.batches.set(toUuid(batch.batchId), { project, receivedAt, events });
    content.receipts.push({ collector, start, number, lowest_open: lowestOpen, given_up: givenUp, spool });
  } catch {
    content.unreadable += 1;
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
