// Whole records that were kept apart: written after all once they can be read, or said to be not wanted.
import type { ISql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import { silentLogger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import { type DecodedRecord, decodeRecord, isDecoded } from "../decode.ts";
import { plain, recordTarget } from "../kept-records.ts";
import type { Store } from "../store/store.ts";
import { BatchIdReusedError } from "../transaction.ts";
import { createWriter, type Writer } from "../write.ts";
import { underOwnId } from "./own-id.ts";
import { recordsSelected, type Selection } from "./selection.ts";

/** What became of the records asked for; all but the last two in events. */
export interface RecordsAnswer {
  sent: number;
  stored: number;
  /** Copies, and what is expired or erased. */
  duplicate: number;
  quarantined: number;
  /** Records under another batch's id, which come back only under one of their own. */
  needs_as_new: number;
  rows: { id: string; outcome: "written" | "refused_again"; detail: string }[];
}

export interface RecordsOptions {
  store: Store;
  clock: Clock;
  meter: Meter;
  /** Records at most; all that are meant without it. */
  rowsMax?: number | undefined;
}

interface Kept {
  record_id: string;
  log_id: string;
  partition: number;
  log_offset: string;
  original: Buffer;
}

/**
 * Writes what is meant and can be read now as the records that they are, at their old places in the log: they
 * were never counted, so nothing is counted twice, and copies are found as ever. `asNew` gives those under
 * another batch's id one of their own. Rejects only where the store does not answer.
 */
export async function retryRecords(
  options: RecordsOptions,
  { selection, asNew, actor }: { selection: Selection; asNew: boolean; actor: string | undefined },
): Promise<RecordsAnswer> {
  const { store } = options;
  const answer: RecordsAnswer = {
    sent: 0,
    stored: 0,
    duplicate: 0,
    quarantined: 0,
    needs_as_new: 0,
    rows: [],
  };
  const writers = new Map<string, Writer>();
  const ids = await openIds(store, selection, options.rowsMax);
  try {
    for (const id of ids) {
      const [kept] = await store.sql<Kept[]>`
        select record_id, log_id, partition, log_offset, original
        from quarantined_records
        where record_id = ${id} and discarded_at is null`;
      if (kept === undefined) continue;
      const writer = writers.get(kept.log_id) ?? (await openWriter(options, kept.log_id));
      writers.set(kept.log_id, writer);
      await retryOne(store, writer, kept, { asNew, actor }, answer);
    }
    return answer;
  } finally {
    for (const writer of writers.values()) await writer.close();
  }
}

/** Marks what is meant as not wanted: counted as before, and no fault to reconcile any more. Answers their ids. */
export async function discardRecords(
  store: Store,
  { selection, actor, why }: { selection: Selection; actor: string; why: string },
): Promise<string[]> {
  const rows = await store.sql`
    with discarded as (
      update quarantined_records
      set discarded_at = now()
      where ${recordsSelected(store.sql, { ...selection, status: "open" })}
      returning record_id, log_id, partition, log_offset
    ),
    noted as (
      insert into audit (action, actor, target, why)
      select 'discard', ${actor}, ${recordTarget(store.sql)}, ${why}
      from discarded
    )
    select record_id from discarded`;
  return rows.map((row) => `r${row["record_id"]}`);
}

/** Of those named, the ones that are there and open. */
export async function openIds(store: Store, selection: Selection, rowsMax?: number): Promise<string[]> {
  const rows = await store.sql`
    select record_id
    from quarantined_records
    where ${recordsSelected(store.sql, { ...selection, status: "open" })}
    order by record_id
    limit ${rowsMax ?? null}`;
  return rows.map((row) => String(row["record_id"]));
}

const openWriter = ({ store, clock, meter }: RecordsOptions, logId: string): Promise<Writer> =>
  createWriter({
    store,
    identity: { id: logId, topic: "", partitions: 0 },
    clock,
    meter,
    logger: silentLogger,
  });

async function retryOne(
  store: Store,
  writer: Writer,
  kept: Kept,
  { asNew, actor }: { asNew: boolean; actor: string | undefined },
  answer: RecordsAnswer,
): Promise<void> {
  const id = `r${kept.record_id}`;
  const read = decodeRecord(kept.partition, {
    offset: BigInt(kept.log_offset),
    time: 0,
    value: kept.original,
  });
  const isGone = kept.original.length === 0;
  if (isGone || !isDecoded(read)) {
    const detail = isGone || isDecoded(read) ? "its bytes are not kept any more" : plain(read.detail);
    answer.rows.push({ id, outcome: "refused_again", detail });
    await noteRefused(store.sql, kept, actor, detail);
    return;
  }
  const isReused = await hasOtherDigest(store, read);
  if (isReused && !asNew) {
    answer.needs_as_new += 1;
    return;
  }
  const decoded = isReused ? underOwnId(kept.log_id, read) : read;
  const { partition, offset: from } = read;
  const slice = { partition, from, to: from + 1n, last: "", records: [decoded] };
  try {
    const prepared = await writer.prepare([slice]);
    await writer.commit({ ...prepared, spans: [], released: { recordId: kept.record_id, actor } });
  } catch (error) {
    if (!(error instanceof BatchIdReusedError)) throw error;
    answer.needs_as_new += 1;
    return;
  }
  add(answer, id, decoded.record.batch.count, await countsAt(store, kept));
}

async function hasOtherDigest(store: Store, { batchId, digest }: DecodedRecord): Promise<boolean> {
  const rows = await store.sql`
    select 1 from ledger where batch_id = ${batchId} and digest <> decode(${digest}, 'hex')`;
  return rows.length > 0;
}

interface Counts {
  stored: number;
  duplicate: number;
  quarantined: number;
}

// Without a row the record was a further one of its batch, whose events were counted with the first.
async function countsAt(store: Store, kept: Kept): Promise<Counts | undefined> {
  const [row] = await store.sql<Counts[]>`
    select o.stored, o.duplicate + o.expired + o.erased as duplicate, o.quarantined
    from ledger l
    join ledger_outcomes o on o.batch_id = l.batch_id
    where l.log_id = ${kept.log_id} and l.partition = ${kept.partition} and l.log_offset = ${kept.log_offset}`;
  return row;
}

function add(answer: RecordsAnswer, id: string, events: number, counts: Counts | undefined): void {
  const { stored, duplicate, quarantined } = counts ?? { stored: 0, duplicate: events, quarantined: 0 };
  answer.sent += events;
  answer.stored += stored;
  answer.duplicate += duplicate;
  answer.quarantined += quarantined;
  const detail = `${stored} stored, ${duplicate} duplicate, ${quarantined} quarantined`;
  answer.rows.push({ id, outcome: "written", detail });
}

async function noteRefused(sql: ISql, kept: Kept, actor: string | undefined, detail: string): Promise<void> {
  await sql`
    insert into audit (action, actor, target, outcome, why)
    select 'refused_again', ${actor ?? ""}, ${recordTarget(sql)}, 'refused_again', ${detail}
    from quarantined_records
    where record_id = ${kept.record_id}`;
}
