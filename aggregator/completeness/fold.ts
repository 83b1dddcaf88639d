// Folds the numbered events of one transaction into their streams, whoever else folds into them meanwhile.
import type { TransactionSql } from "postgres";
import { streamRangesMax } from "../../shared/limits.ts";
import { outcome } from "../../shared/wire/batch.ts";
import type { DecodedRecord } from "../decode.ts";
import { uuidOf } from "../lookup.ts";
import type { Plan } from "../plan.ts";
import { boundLocks } from "./locks.ts";
import { circumstancesOf, isPlace, type Numbered, numberedEvents, type StoredRow } from "./numbered.ts";
import { type End, readEnds, streamKey } from "./removed.ts";

/** What one transaction adds to a stream. */
interface Addition {
  project: string;
  streamId: string;
  seqs: number[];
  lost: number;
  clockOffsetMs: number | null;
  firstTime: number;
  lastTime: number;
  /** Its stored event with the greatest id. */
  last: StoredRow | undefined;
}

/** What is left of a row's ranges once they were too many, so that they are not closed at every write. */
const rangesKept = streamRangesMax / 2;
/** A range takes more than its two bounds' 16 bytes: in a smaller row they need not be counted. */
const rangeBytesMin = 16;

/**
 * Adds the numbers of everything that got an outcome: what was stored or kept apart, and refused events
 * that name their number. Runs when the fates are settled. A union changes nothing the second time, so
 * copies, their order and other writers do not matter; rows are locked in key order. `hasRemoved`: some
 * stream was removed once.
 */
export async function foldStreams(
  tx: TransactionSql,
  records: readonly DecodedRecord[],
  plan: Plan,
  hasRemoved: boolean,
): Promise<void> {
  let additions = collect(records, plan, noEnds);
  const ends = hasRemoved && additions.size > 0 ? await readEnds(tx, additions.values()) : noEnds;
  if (ends.size > 0) additions = collect(records, plan, ends);
  if (additions.size === 0) return;
  const rows = [...additions].map(([key, addition]) => rowOf(addition, ends.get(key)));
  const folded = tx`
    with folded as (
      insert into streams as s (
        project_id, stream_id, seqs, declared_lost, clock_offset_ms, first_time, last_time, last_id,
        app_version, country, browser, device, numbered_from
      )
      select
        project_id, stream_id, seqs, declared_lost, clock_offset_ms, to_timestamp(first_ms / 1000.0),
        to_timestamp(last_ms / 1000.0), last_id, app_version, country, browser, device, numbered_from
      from jsonb_to_recordset(${tx.json(rows)}) as r(
        project_id text, stream_id text, seqs int8multirange, declared_lost bigint, clock_offset_ms bigint,
        first_ms bigint, last_ms bigint, last_id uuid, app_version text, country text, browser text, device text,
        numbered_from bigint
      )
      order by 1, 2
      on conflict (project_id, stream_id) do update set
        seqs = s.seqs + excluded.seqs,
        declared_lost = greatest(s.declared_lost, excluded.declared_lost),
        clock_offset_ms = least(s.clock_offset_ms, excluded.clock_offset_ms),
        first_time = least(s.first_time, excluded.first_time),
        last_time = greatest(s.last_time, excluded.last_time),
        last_id = greatest(s.last_id, excluded.last_id),
        app_version = case when ${isNewer(tx)} then excluded.app_version else s.app_version end,
        country = case when ${isNewer(tx)} then excluded.country else s.country end,
        browser = case when ${isNewer(tx)} then excluded.browser else s.browser end,
        device = case when ${isNewer(tx)} then excluded.device else s.device end
      returning project_id, stream_id, s.seqs
    ),
    large as materialized (
      select project_id, stream_id, seqs from folded where pg_column_size(seqs) > ${rangeBytesMin * streamRangesMax}
    )
    select project_id, stream_id, ranges
    from large, lateral (select count(*)::int as ranges from unnest(seqs)) counted
    where ranges > ${streamRangesMax}`;
  const [, over] = await Promise.all([boundLocks(tx), folded]);
  if (over.length > 0) await closeOldest(tx, [...over]);
}

// What says nothing of circumstances, such as a refused event, leaves them as they are.
const isNewer = (tx: TransactionSql) =>
  tx`coalesce(excluded.last_id > s.last_id, excluded.last_id is not null)`;

/**
 * Closes the oldest gaps of streams with too many: seqs' = seqs + [first, last of the oldest ranges], and
 * given_up' = given_up + the numbers that lay between them. So seen = held − given_up is what it was, and
 * a gap that was given up counts as missing for ever, also where its numbers come after all.
 */
async function closeOldest(tx: TransactionSql, over: readonly Record<string, unknown>[]): Promise<void> {
  await tx`
    update streams s
    set seqs = s.seqs + int8multirange(c.oldest), given_up = s.given_up + c.between
    from (
      select
        t.project_id,
        t.stream_id,
        int8range(min(lower(u.r)), max(upper(u.r))) as oldest,
        max(upper(u.r)) - min(lower(u.r)) - sum(upper(u.r) - lower(u.r))::bigint as between
      from jsonb_to_recordset(${tx.json(over as never)}) as k(project_id text, stream_id text, ranges int)
      join streams t on t.project_id = k.project_id and t.stream_id = k.stream_id
      cross join lateral unnest(t.seqs) with ordinality as u(r, place)
      where u.place <= k.ranges - ${rangesKept - 1}::int
      group by t.project_id, t.stream_id
    ) c
    where s.project_id = c.project_id and s.stream_id = c.stream_id`;
}

/** What is added by stream; of a removed one only what is stored, and what its client numbered since. */
function collect(
  records: readonly DecodedRecord[],
  plan: Plan,
  ends: ReadonlyMap<string, End>,
): Map<string, Addition> {
  const additions = new Map<string, Addition>();
  const keep = (one: Numbered): void => {
    const end = ends.get(streamKey(one.project, one.streamId));
    if (end === undefined || one.row !== undefined || one.seq >= end.nextSeq) add(additions, one);
  };
  for (const one of numberedEvents(plan)) keep(one);
  for (const decoded of records) addRefused(decoded, keep);
  return additions;
}

const noEnds: ReadonlyMap<string, End> = new Map();

function add(additions: Map<string, Addition>, one: Numbered): void {
  const { project, streamId, time, clockOffsetMs, row } = one;
  const key = streamKey(project, streamId);
  const known = additions.get(key);
  if (known === undefined) {
    const span = { firstTime: time, lastTime: time };
    const { seq, lost } = one;
    additions.set(key, { project, streamId, seqs: [seq], lost, clockOffsetMs, ...span, last: row });
    return;
  }
  known.seqs.push(one.seq);
  known.lost = Math.max(known.lost, one.lost);
  known.firstTime = Math.min(known.firstTime, time);
  known.lastTime = Math.max(known.lastTime, time);
  if (clockOffsetMs !== null) {
    known.clockOffsetMs = Math.min(known.clockOffsetMs ?? clockOffsetMs, clockOffsetMs);
  }
  if (row !== undefined && (known.last === undefined || row.key > known.last.key)) known.last = row;
}

// A refused event has no time of its own that could be trusted; its stream was seen when it was received.
function addRefused({ record: { batch, outcomes } }: DecodedRecord, keep: (one: Numbered) => void): void {
  const { project, receivedAt: time } = batch;
  for (const { index, place } of batch.refusals) {
    if (place === undefined || outcomes[index] !== outcome.refused) continue;
    const { streamId, seq } = place;
    if (!isPlace(streamId, seq)) continue;
    keep({ project, streamId, seq, time, clockOffsetMs: null, lost: 0, row: undefined });
  }
}

function rowOf({ project, streamId, seqs, last, ...one }: Addition, end: End | undefined) {
  return {
    project_id: project,
    stream_id: streamId,
    seqs: rangesText(seqs),
    declared_lost: Math.max(0, one.lost - (end?.declaredLost ?? 0)),
    numbered_from: end?.nextSeq ?? 0,
    clock_offset_ms: one.clockOffsetMs,
    first_ms: one.firstTime,
    last_ms: one.lastTime,
    last_id: last === undefined ? null : uuidOf(last.key),
    ...(last === undefined ? {} : circumstancesOf(last)),
  };
}

/** Numbers as PostgreSQL writes a multirange, such as `{[1,4),[6,7)}`; the order they come in is changed. */
function rangesText(seqs: number[]): string {
  seqs.sort((left, right) => left - right);
  const ranges: string[] = [];
  let from = seqs[0]!;
  for (const [at, seq] of seqs.entries()) {
    const next = seqs[at + 1];
    if (next !== undefined && next <= seq + 1) continue;
    ranges.push(`[${from},${seq}]`);
    from = next ?? from;
  }
  return `{${ranges.join(",")}}`;
}
