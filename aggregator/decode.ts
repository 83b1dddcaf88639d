// The records of the log as the writer needs them: read once, checked once, or named as unreadable.
import { toUuid } from "../shared/event/bytes.ts";
import { fingerprintBytes, identityHashBytes, writeId } from "../shared/event/identity.ts";
import type { ReadRecord } from "../shared/log/log.ts";
import { type LogRecord, unpackRecord } from "../shared/wire/record.ts";
import { OffsetError } from "./fence.ts";

/** Records of one partition, one after another without a hole. */
export interface Slice {
  partition: number;
  records: readonly ReadRecord[];
}

/** Where a record lies, and its bytes as they came. */
export interface Place {
  partition: number;
  offset: bigint;
  value: Uint8Array;
}

/** A record that was read. `bodyStarts` says where each event's bytes begin. */
export interface DecodedRecord extends Place {
  record: LogRecord;
  batchId: string;
  /** SHA-256 of project, count, identity hashes and fingerprints: what makes a resend the same batch. */
  digest: string;
  bodyStarts: Uint32Array;
}

export interface UnreadableRecord extends Place {
  detail: string;
}

/** A slice whose records were read; `to` is the offset after its last, and `last` that one's mark. */
export interface DecodedSlice {
  partition: number;
  from: bigint;
  to: bigint;
  last?: string | undefined;
  records: readonly (DecodedRecord | UnreadableRecord)[];
}

/** Reads the records of a slice that is not empty. Throws an OffsetError where there is a hole in it. */
export function decodeSlice({ partition, records }: Slice): DecodedSlice {
  const from = records[0]!.offset;
  for (const [at, { offset }] of records.entries()) {
    if (offset !== from + BigInt(at)) throw new OffsetError(partition, from + BigInt(at), offset);
  }
  const read = records.map((record) => decodeRecord(partition, record));
  return {
    partition,
    from,
    to: from + BigInt(records.length),
    last: markOf(records.at(-1)!),
    records: read,
  };
}

/** What tells a record from another at its offset: when the log took it, and a hash of its bytes. */
export const markOf = ({ time, value }: ReadRecord): string =>
  `${time}.${Bun.hash.xxHash64(value).toString(36)}`;

/** Reads one record; one that cannot be read is a value, so that it is kept whole and the rest goes on. */
export function decodeRecord(partition: number, read: ReadRecord): DecodedRecord | UnreadableRecord {
  const place = { partition, offset: read.offset, value: read.value };
  try {
    const record = unpackRecord(read.value);
    check(record);
    const { batch } = record;
    return {
      ...place,
      record,
      batchId: toUuid(batch.batchId),
      digest: digestOf(record),
      bodyStarts: startsOf(batch.sizes),
    };
  } catch (error) {
    return { ...place, detail: error instanceof Error ? error.message : "unknown" };
  }
}

export const isDecoded = (one: DecodedRecord | UnreadableRecord): one is DecodedRecord => "record" in one;

/** The bytes of one event, or of a refused one as they came. */
export function bodyOf(decoded: DecodedRecord, index: number): Uint8Array {
  const start = decoded.bodyStarts[index]!;
  return decoded.record.batch.bodies.subarray(start, start + decoded.record.batch.sizes[index]!);
}

/** The id a moved event would have, were its client's clock right; undefined where that told no such time. */
export function unmovedId(
  { record }: DecodedRecord,
  index: number,
  clientTime: number | null,
): Buffer | undefined {
  if (clientTime === null || clientTime < 0 || clientTime >= 2 ** 48) return undefined;
  const id = Buffer.alloc(16);
  writeId(id, 0, clientTime, record.batch.hashes, index * identityHashBytes);
  return id;
}

// What the ledger's columns could not hold would stop the partition for ever.
function check({ batch, receipt }: LogRecord): void {
  const texts = [batch.project, batch.edge, batch.traceparent ?? "", receipt.collector];
  if (texts.some((text) => text.includes("\0"))) throw new Error("a record with U+0000 in a name");
  if (Math.abs(batch.receivedAt) > 8.64e15) throw new Error("a record received at no time");
}

function digestOf({ batch }: LogRecord): string {
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(JSON.stringify([batch.project, batch.count]));
  hasher.update(batch.hashes.subarray(0, batch.count * identityHashBytes));
  hasher.update(batch.fingerprints.subarray(0, batch.count * fingerprintBytes));
  return hasher.digest("hex");
}

function startsOf(sizes: readonly number[]): Uint32Array {
  const starts = new Uint32Array(sizes.length);
  let at = 0;
  for (let index = 0; index < sizes.length; index += 1) {
    starts[index] = at;
    at += sizes[index]!;
  }
  return starts;
}
