// Which of several copies the live store holds, so that a replay stores the same one.
import type { TransactionSql } from "postgres";
import { toUuid } from "../../shared/event/bytes.ts";
import { flag } from "../../shared/event/event.ts";
import { fingerprintBytes, identityHashBytes } from "../../shared/event/identity.ts";
import { isPublished } from "../../shared/wire/batch.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { bodyOf, type DecodedRecord, type DecodedSlice, isDecoded, unmovedId } from "../decode.ts";
import { type Copy, isStored, keptRows, liveRows } from "./live-rows.ts";

/** The slices in the order to plan them, and the transaction that must be written before, if there is one. */
export interface Guidance {
  slices: DecodedSlice[];
  after: bigint | undefined;
}

/**
 * Two writers may have met over one event: the one that began first then waited, and found a copy. And
 * within one transaction a partition may have come before another. Both show in whose copy was stored.
 * `time` is when the step's own transaction began.
 */
export async function guide(
  live: TransactionSql,
  slices: readonly DecodedSlice[],
  time: bigint,
): Promise<Guidance> {
  const copies = copiesByHash(slices);
  let after: bigint | undefined;
  const before = new Map<DecodedSlice, Set<DecodedSlice>>();
  const follow = (written: bigint, own: readonly Copy[], isFirst: (copy: Copy) => boolean): void => {
    if (written > time && (after === undefined || written > after)) after = written;
    const first = written === time ? own.find(isFirst) : undefined;
    if (first === undefined) return;
    for (const { slice } of own) {
      if (slice === first.slice) continue;
      const earlier = before.get(slice) ?? new Set();
      before.set(slice, earlier.add(first.slice));
    }
  };
  for (const [hash, row] of await liveRows(live, copies)) {
    const own = copies.get(hash) ?? [];
    const alike = own.filter((copy) => copy.receivedAt === row.receivedAt);
    follow(row.time, own, (copy) => alike.includes(copy) && (alike.length === 1 || isStored(copy, row)));
  }
  // Of equal contents that are in conflict with what is stored, one is kept and the others are its copies.
  for (const kept of await keptRows(live, copies)) {
    const own = copies.get(kept.hash)?.filter(({ fingerprint }) => fingerprint === kept.fingerprint) ?? [];
    follow(kept.time, own, (copy) => copy.batchId === kept.batchId);
  }
  return { slices: ordered(slices, before), after };
}

function copiesByHash(slices: readonly DecodedSlice[]): Map<string, Copy[]> {
  const copies = new Map<string, Copy[]>();
  for (const slice of slices) {
    for (const decoded of slice.records.filter(isDecoded)) {
      const { record, batchId } = decoded;
      const { batch, outcomes } = record;
      const hashes = viewOf(batch.hashes);
      const fingerprints = viewOf(batch.fingerprints);
      for (let index = 0; index < batch.count; index += 1) {
        if (!isPublished(outcomes[index]!)) continue;
        const at = index * identityHashBytes;
        const hash = hashes.toString("hex", at, at + identityHashBytes);
        const copy: Copy = {
          slice,
          batchId,
          body: () => bodyOf(decoded, index),
          id: toUuid(batch.ids.subarray(index * 16, index * 16 + 16)),
          unmovedId: unmovedOf(decoded, index),
          fingerprint: String(fingerprints.readBigInt64BE(index * fingerprintBytes)),
          receivedAt: batch.receivedAt,
        };
        const known = copies.get(hash);
        if (known === undefined) copies.set(hash, [copy]);
        else known.push(copy);
      }
    }
  }
  return copies;
}

function unmovedOf(decoded: DecodedRecord, index: number): string | undefined {
  if ((decoded.record.batch.flags[index]! & flag.moved) === 0) return undefined;
  try {
    const id = unmovedId(decoded, index, unpackEvent(bodyOf(decoded, index)).clientTime);
    return id === undefined ? undefined : toUuid(id);
  } catch {
    return undefined;
  }
}

// Each slice behind those that must come first; as they were given where that says nothing.
function ordered(
  slices: readonly DecodedSlice[],
  before: ReadonlyMap<DecodedSlice, ReadonlySet<DecodedSlice>>,
): DecodedSlice[] {
  const done = new Set<DecodedSlice>();
  while (done.size < slices.length) {
    const left = slices.filter((slice) => !done.has(slice));
    const isFree = (slice: DecodedSlice): boolean =>
      [...(before.get(slice) ?? [])].every((earlier) => done.has(earlier));
    done.add(left.find(isFree) ?? left[0]!);
  }
  return [...done];
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
