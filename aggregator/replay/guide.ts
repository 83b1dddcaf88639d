// Which of several copies the live store holds, so that a replay stores the same one.
import type { TransactionSql } from "postgres";
import { toUuid } from "../../shared/event/bytes.ts";
import { eventTimeOf, fingerprintBytes, identityHashBytes } from "../../shared/event/identity.ts";
import { isPublished } from "../../shared/wire/batch.ts";
import { type DecodedSlice, isDecoded } from "../decode.ts";

/** One event of a step, as far as its copies have to be told apart. */
interface Copy {
  slice: DecodedSlice;
  batchId: string;
  id: string;
  fingerprint: string;
  /** Epoch ms. */
  eventTime: number;
  receivedAt: number;
}

/** The row the live store has for an identity: when its transaction began, and when it was received. */
interface LiveRow {
  time: bigint;
  receivedAt: number;
}

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
    follow(row.time, copies.get(hash) ?? [], (copy) => copy.receivedAt === row.receivedAt);
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
    for (const { record, batchId } of slice.records.filter(isDecoded)) {
      const { batch, outcomes } = record;
      const hashes = viewOf(batch.hashes);
      const fingerprints = viewOf(batch.fingerprints);
      for (let index = 0; index < batch.count; index += 1) {
        if (!isPublished(outcomes[index]!)) continue;
        const at = index * identityHashBytes;
        const hash = hashes.toString("hex", at, at + identityHashBytes);
        const id = toUuid(batch.ids.subarray(index * 16, index * 16 + 16));
        const copy = {
          slice,
          batchId,
          id,
          fingerprint: String(fingerprints.readBigInt64BE(index * fingerprintBytes)),
          eventTime: eventTimeOf(batch.ids, index * 16),
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

// By id, and for events whose time was moved by the id that is noted for their hash.
async function liveRows(
  live: TransactionSql,
  copies: ReadonlyMap<string, readonly Copy[]>,
): Promise<Map<string, LiveRow>> {
  const all = [...copies].flatMap(([hash, own]) =>
    own.map(({ id, eventTime }) => ({ hash, id, event_time: new Date(eventTime).toISOString() })),
  );
  const rows = await live`
    with asked as (
      select hash, id, event_time
      from jsonb_to_recordset(${live.json(all)}) as r(hash text, id uuid, event_time timestamptz)
    ),
    noted as (
      select a.hash, m.id, to_timestamp(
        ('x' || lpad(translate(left(m.id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint / 1000.0
      ) as event_time
      from (select distinct hash from asked) a
      join moved_events m on m.identity_hash = decode(a.hash, 'hex')
    )
    select distinct
      w.hash,
      (extract(epoch from e.stored_at) * 1000000)::bigint as time,
      (extract(epoch from e.received_at) * 1000)::float8 as received_at
    from (select * from asked union select * from noted) w
    join events e on e.id = w.id and e.event_time = w.event_time`;
  return new Map(
    rows.map((row) => [
      String(row["hash"]),
      { time: BigInt(row["time"]), receivedAt: Number(row["received_at"]) },
    ]),
  );
}

interface KeptRow {
  hash: string;
  fingerprint: string;
  batchId: string;
  time: bigint;
}

async function keptRows(
  live: TransactionSql,
  copies: ReadonlyMap<string, readonly Copy[]>,
): Promise<KeptRow[]> {
  const asked = [...copies].flatMap(([hash, own]) => own.map(({ fingerprint }) => ({ hash, fingerprint })));
  const rows = await live`
    select
      a.hash,
      a.fingerprint::text as fingerprint,
      q.batch_id::text as batch_id,
      (extract(epoch from q.quarantined_at) * 1000000)::bigint as time
    from (
      select distinct hash, fingerprint
      from jsonb_to_recordset(${live.json(asked)}) as r(hash text, fingerprint bigint)
    ) a
    join quarantine q on q.identity_hash = decode(a.hash, 'hex') and q.fingerprint = a.fingerprint`;
  return rows.map((row) => ({
    hash: String(row["hash"]),
    fingerprint: String(row["fingerprint"]),
    batchId: String(row["batch_id"]),
    time: BigInt(row["time"]),
  }));
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
