// An id of its own for a record that came under another batch's.
import { createHash } from "node:crypto";
import { toUuid } from "../../shared/event/bytes.ts";
import { writeId } from "../../shared/event/identity.ts";
import type { DecodedRecord } from "../decode.ts";

/** The record as a batch of its own: an id made of its place, the same however often it is tried. */
export function underOwnId(logId: string, decoded: DecodedRecord): DecodedRecord {
  const place = `weir.record ${logId} ${decoded.partition} ${decoded.offset}`;
  const id = new Uint8Array(16);
  writeId(id, 0, decoded.record.batch.receivedAt, createHash("sha256").update(place).digest());
  return { ...decoded, batchId: toUuid(id) };
}
