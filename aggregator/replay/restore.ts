// Offers a live store the rows of its known batches again: what is missing is put back, nothing is counted anew.
import type { TransactionSql } from "postgres";
import { identityHashBytes } from "../../shared/event/identity.ts";
import { writeStatementMs } from "../../shared/limits.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { isPublished, outcome } from "../../shared/wire/batch.ts";
import { copyRows } from "../copy.ts";
import { type DecodedRecord, decodeSlice, isDecoded } from "../decode.ts";
import { readPositions, type Span } from "../fence.ts";
import { applyBars, readBars } from "../lifecycle/bars.ts";
import { lockMoved, movedLockKey } from "../moved.ts";
import { createPartitions, type Partitions } from "../partitions.ts";
import { makePlan, type Plan, rowsToSend } from "../plan.ts";
import { underOwnId } from "../quarantine/own-id.ts";
import { eventColumnList } from "../rows.ts";
import { makeStage } from "../stage.ts";
import type { Store } from "../store/store.ts";
import { inSnapshot } from "./snapshot.ts";
import { readSteps } from "./steps.ts";
import { readTimeline } from "./timeline.ts";

export interface Restored {
  records: number;
  /** Rows put back. */
  restored: number;
  missing: Span[];
}

export interface RestoreOptions {
  reader: LogReader;
  into: Store;
  /** The number under which this replay is noted. */
  replayId: string;
  written(records: number): void;
}

/**
 * Reads what is written already, beside the owners, in the order in which it was: so of two copies the one
 * that was stored comes first. Stopped in the middle, it may simply be run again.
 */
export async function restoreRows(options: RestoreOptions): Promise<Restored> {
  const { reader, into } = options;
  const { identity } = reader;
  const answer: Restored = { records: 0, restored: 0, missing: [] };
  const partitions = createPartitions(into);
  const positions = await readPositions(into.sql, identity);
  const timeline = await inSnapshot(into, (tx) => readTimeline(tx, identity));
  const spans = new Map([...positions].map(([at, { nextOffset: to }]) => [at, { from: 0n, to }]));
  const expected = new Map<number, bigint>();
  const passHole = (partition: number, to: bigint): void => {
    const from = expected.get(partition) ?? 0n;
    if (to > from) answer.missing.push({ partition, from, to });
  };
  for await (const { slices } of readSteps(reader, spans, timeline, () => true)) {
    const decoded = slices.map(decodeSlice);
    for (const { partition, from, to } of decoded) {
      passHole(partition, from);
      expected.set(partition, to);
    }
    const records = decoded.flatMap((slice) => slice.records);
    answer.restored += await offer(options, partitions, records.filter(isDecoded));
    answer.records += records.length;
    options.written(records.length);
  }
  for (const [partition, { to }] of spans) passHole(partition, to);
  return answer;
}

async function offer(
  { reader, into, replayId }: RestoreOptions,
  partitions: Partitions,
  records: readonly DecodedRecord[],
): Promise<number> {
  const plan = await inSnapshot(into, (tx) => planRows(tx, reader.identity.id, records));
  if (plan.kept.length === 0) return 0;
  await partitions.ensure(plan.kept);
  return await inSnapshot(into, (tx) => putBack(tx, plan, replayId), "read committed");
}

// Of the batches that have a ledger row with something stored, the events that may be what was stored.
// One whose id was another's may have been written under one of its own.
async function planRows(tx: TransactionSql, logId: string, records: readonly DecodedRecord[]): Promise<Plan> {
  const under = records.flatMap((record) => [record, underOwnId(logId, record)]);
  const rows = await tx`
    select batch_id, encode(digest, 'hex') as digest
    from ledger
    where stored > 0 and batch_id = any(${under.map((record) => record.batchId)}::uuid[])`;
  const known = new Map(rows.map((row) => [String(row["batch_id"]), String(row["digest"])]));
  const ours = under.filter((record) => known.get(record.batchId) === record.digest);
  const others = await notStored(tx, ours);
  return await makePlan(
    ours.map((record) => without(record, others)),
    new Map(),
  );
}

// What was kept in quarantine, and copies of a moved event that are not the one that was stored.
async function notStored(
  tx: TransactionSql,
  records: readonly DecodedRecord[],
): Promise<ReadonlySet<string>> {
  const [some] = await tx`
    select exists (select 1 from quarantine) or exists (select 1 from moved_events) as found`;
  if (some?.["found"] !== true) return new Set();
  const asked = records.flatMap((record) =>
    Array.from({ length: record.record.batch.count }, (_, index) => ({
      place: `${record.batchId}/${index}`,
      ...keysOf(record, index),
    })),
  );
  const rows = await tx`
    with asked as (
      select place, decode(hash, 'hex') as hash, fingerprint, id
      from jsonb_to_recordset(${tx.json(asked)}) as r(place text, hash text, fingerprint bigint, id uuid)
    )
    select a.place
    from asked a
    join quarantine q
      on q.identity_hash = a.hash and q.fingerprint = a.fingerprint and q.status <> 'retried'
    union
    select a.place
    from asked a
    join moved_events m on m.identity_hash = a.hash and m.id <> a.id`;
  return new Set(rows.map((row) => String(row["place"])));
}

function keysOf({ record: { batch } }: DecodedRecord, index: number) {
  const hash = batch.hashes.subarray(index * identityHashBytes, (index + 1) * identityHashBytes);
  const fingerprint = Buffer.from(batch.fingerprints.subarray(index * 8, index * 8 + 8));
  return {
    hash: Buffer.from(hash).toString("hex"),
    fingerprint: String(fingerprint.readBigInt64BE()),
    id: Buffer.from(batch.ids.subarray(index * 16, index * 16 + 16)).toString("hex"),
  };
}

// To the plan they are as if the collector had called them copies.
function without(decoded: DecodedRecord, places: ReadonlySet<string>): DecodedRecord {
  const { record } = decoded;
  const outcomes = record.outcomes.map((code, index) =>
    isPublished(code) && places.has(`${decoded.batchId}/${index}`) ? outcome.duplicate : code,
  );
  return { ...decoded, record: { ...record, outcomes } };
}

async function putBack(tx: TransactionSql, plan: Plan, replayId: string): Promise<number> {
  await lockMoved(tx, await movedLockKey(tx), plan);
  await applyBars(tx, plan, await readBars(tx, plan));
  const rows = rowsToSend(plan);
  if (rows.length === 0) return 0;
  await makeStage(tx);
  await copyRows(tx, `weir_stage (${eventColumnList})`, rows, writeStatementMs);
  const inserted = await tx`
    insert into events (${tx.unsafe(eventColumnList)})
    select ${tx.unsafe(eventColumnList)} from weir_stage
    order by id
    on conflict do nothing
    returning id, project_id, event_time`;
  if (inserted.length === 0) return 0;
  const back = inserted.map(({ id, project_id, event_time }) => ({ id, project_id, event_time }));
  // What is put back was missing until now; so both sides of the account have it.
  await tx`
    with back as (
      select project_id, (event_time at time zone 'UTC')::date as day, count(*) as rows, array_agg(id) as ids
      from jsonb_to_recordset(${tx.json(back as never)}) as r(id uuid, project_id text, event_time timestamptz)
      group by 1, 2
    ),
    noted as (
      insert into fresh_events (project_id, day, ids) select project_id, day, ids from back
    ),
    missed as (
      insert into row_removals (project_id, day, reason, removed) select project_id, day, 'missing', rows from back
    )
    insert into row_restorations (replay_id, project_id, restored)
    select ${replayId}::bigint, project_id, sum(rows) from back group by project_id`;
  return inserted.length;
}
