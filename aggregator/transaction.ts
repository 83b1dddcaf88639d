// The one transaction: offsets, ledger, rows, quarantine and notes of several partitions, all or nothing.
import type { TransactionSql } from "postgres";
import { reach } from "../shared/crash-point.ts";
import type { LogIdentity } from "../shared/log/log.ts";
import { foldCanaries } from "./completeness/canaries.ts";
import { foldStreams } from "./completeness/fold.ts";
import type { DecodedRecord, UnreadableRecord } from "./decode.ts";
import { advance, FencedError, type Span } from "./fence.ts";
import { noteFresh } from "./fresh.ts";
import {
  type KeptRecord,
  noteRetransmissions,
  quarantineRecords,
  type Released,
  releaseRecord,
} from "./kept-records.ts";
import { type LedgerWrites, type Tally, tally } from "./ledger/fold.ts";
import { takeForgotten } from "./ledger/horizon.ts";
import { applyBars, readBars } from "./lifecycle/bars.ts";
import { lockMoved, settleMoved } from "./moved.ts";
import { judgeByStored, makePlan, type Plan } from "./plan.ts";
import { quarantineEvents } from "./quarantine.ts";
import type { Inserter, Way } from "./stage.ts";

/** What one transaction is to write, made ready before it begins. */
export interface Prepared {
  spans: readonly Span[];
  records: readonly DecodedRecord[];
  unreadable: readonly UnreadableRecord[];
  sorted: Sorted;
  plan: Plan;
  /** Where they come from what was kept whole: the log's positions are behind them, so there are no spans. */
  released?: Released | undefined;
}

/** Records by what their batch id says: new, a further record of the same batch, or of another batch. */
export interface Sorted {
  fresh: DecodedRecord[];
  again: DecodedRecord[];
  reused: DecodedRecord[];
  /** Records so old that the ledger may have counted their batch and forgotten its id. */
  forgotten: DecodedRecord[];
}

/** What was written down. */
export interface Written {
  way: Way;
  sorted: Sorted;
  unreadable: number;
  tallies: ReadonlyMap<DecodedRecord, Tally>;
}

/** What a transaction stands on. */
export interface Ground {
  log: LogIdentity;
  epochs: ReadonlyMap<number, bigint>;
  movedKey: bigint;
  /** Epoch ms. */
  now(): number;
  inserter: Inserter;
  ledger: LedgerWrites;
}

/** The offsets do not stand where they were left; who asks `log_positions` learns why. */
export class NotOursError extends Error {
  readonly code = "not_ours";
}

/** The record to be released has another batch's id still. */
export class BatchIdReusedError extends Error {
  readonly code = "batch_id_reused";
}

/** Sorts records by batch; `digests` are those of batches known before, and learns the new ones. */
export function sortRecords(records: readonly DecodedRecord[], digests: Map<string, string>): Sorted {
  const sorted: Sorted = { fresh: [], again: [], reused: [], forgotten: [] };
  for (const decoded of records) {
    const known = digests.get(decoded.batchId);
    if (known === undefined) {
      digests.set(decoded.batchId, decoded.digest);
      sorted.fresh.push(decoded);
    } else if (known === decoded.digest) sorted.again.push(decoded);
    else sorted.reused.push(decoded);
  }
  return sorted;
}

/** Runs the statements of one transaction, the fence first. A rejection leaves nothing behind. */
export async function writeAll(tx: TransactionSql, ground: Ground, prepared: Prepared): Promise<Written> {
  let { sorted, plan } = prepared;
  const before = tally(sorted.fresh, plan.candidates);
  // Sent together and run one after another: the fence, the lock, what is barred, the ledger rows.
  const [moved, found, bars, inserted] = await Promise.all([
    advance(tx, ground.log, prepared.spans, ground.epochs),
    lockMoved(tx, ground.movedKey, plan),
    readBars(tx, plan),
    ground.ledger.insert(tx, ground.log, before),
  ]);
  if (moved.length !== prepared.spans.length)
    throw new NotOursError("the partitions were moved on by another");
  if (prepared.released !== undefined && !(await releaseRecord(tx, prepared.released)))
    throw new NotOursError("the record is not kept any more");
  if (inserted.size !== sorted.fresh.length) {
    const known = sorted.fresh.map((decoded) => decoded.batchId).filter((id) => !inserted.has(id));
    sorted = sortRecords(prepared.records, await ground.ledger.digests(tx, known));
    plan = await makePlan(sorted.fresh, plan.unwritable);
  }
  if (prepared.released !== undefined && sorted.reused.length > 0) throw new BatchIdReusedError();
  // Who releases one has decided that it is to be counted.
  const forgotten =
    prepared.released === undefined ? await takeForgotten(tx, sorted.fresh, ground.now()) : [];
  if (forgotten.length > 0) {
    sorted = { ...sorted, fresh: sorted.fresh.filter((decoded) => !forgotten.includes(decoded)), forgotten };
    plan = await makePlan(sorted.fresh, plan.unwritable);
  }
  await applyBars(tx, plan, bars);
  await settleMoved(tx, plan, found);
  const way = await ground.inserter.insert(tx, plan);
  judgeByStored(plan);
  const noteRefused = await quarantineEvents(tx, sorted.fresh, plan);
  await quarantineRecords(tx, ground.log, recordsToKeep(prepared.unreadable, sorted));
  await noteRetransmissions(tx, ground.log, sorted.again);
  await foldStreams(tx, sorted.fresh, plan, bars.hasRemovedStreams);
  await foldCanaries(tx, sorted.fresh);
  await noteFresh(tx, plan);
  const tallies = tally(sorted.fresh, plan.candidates);
  noteRefused(tallies);
  await ground.ledger.correct(tx, before, tallies);
  reach("before_commit");
  return { way, sorted, unreadable: prepared.unreadable.length, tallies };
}

/**
 * Moves a partition without records, and notes why: on behind a hole, or back to where a log ends that
 * has become shorter, since what it takes next stands there.
 */
export async function moveWithout(tx: TransactionSql, ground: Ground, span: Span): Promise<void> {
  const { partition, from, to } = span;
  const moved = await advance(tx, ground.log, [span], ground.epochs);
  if (moved.length === 0) throw new FencedError([partition]);
  await tx`
    insert into ${tx(from < to ? "log_holes" : "log_rewinds")} (log_id, topic, partition, from_offset, to_offset)
    values (${ground.log.id}, ${ground.log.topic}, ${partition}, ${String(from)}, ${String(to)})`;
}

function recordsToKeep(unreadable: readonly UnreadableRecord[], { reused, forgotten }: Sorted): KeptRecord[] {
  return [
    ...unreadable.map((place): KeptRecord => ({ place, reason: "record_unreadable", detail: place.detail })),
    ...reused.map(
      (decoded): KeptRecord => ({
        place: decoded,
        reason: "batch_id_reused",
        detail: `another batch is in the ledger as ${decoded.batchId}`,
        decoded,
      }),
    ),
    ...forgotten.map(
      (decoded): KeptRecord => ({
        place: decoded,
        reason: "batch_too_old",
        detail: `received at ${new Date(decoded.record.batch.receivedAt).toISOString()}: older than the batches whose ids are kept`,
        decoded,
      }),
    ),
  ];
}
