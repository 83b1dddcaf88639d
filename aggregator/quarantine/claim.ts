// Names a batch for quarantined events before anything is sent, so that a retry cut short is taken up as it was.
import { randomBytes } from "node:crypto";
import type { TransactionSql } from "postgres";
import { toUuid } from "../../shared/event/bytes.ts";
import { writeId } from "../../shared/event/identity.ts";
import type { Store } from "../store/store.ts";
import { type Selection, selected } from "./selection.ts";

/** Who retries, and how. */
export interface RetryAsked {
  selection: Selection;
  /** Conflicts come back under an identity of their own; without it they are passed over. */
  asNew: boolean;
  /** Such as `cli` or `api`. */
  actor: string;
}

/** Events in one batch, and the bytes they came in: packed, the worst of them is five times as long. */
export const lotEventsMax = 500;
const lotBytesMax = 256 * 1024;

interface Claimable {
  quarantine_id: string;
  project_id: string;
  station: string;
  bytes: number;
}

/** What one step of claiming found. */
export interface Claimed {
  batchIds: string[];
  events: number;
  /** The last row looked at; undefined where there was none. */
  last: string | undefined;
}

/**
 * Takes up to 500 open rows behind `after`, in one transaction: each gets its place in a batch to come.
 * Rows that another retry holds are passed over.
 */
export async function claimRows(
  store: Store,
  asked: RetryAsked,
  after: string,
  nowMs: number,
): Promise<Claimed> {
  return (await store.sql.begin(async (tx) => {
    const rows = await tx<Claimable[]>`
      select quarantine_id, project_id, station, octet_length(original) as bytes
      from quarantine
      where ${selected(tx, { ...asked.selection, status: "open" })}
        and quarantine_id > ${after}
        ${asked.asNew ? tx`` : tx`and reason <> 'conflict'`}
      order by quarantine_id
      limit ${lotEventsMax}
      for update skip locked`;
    const lots = cutLots(rows);
    for (const lot of lots) await name(tx, lot, asked, nowMs);
    return {
      batchIds: lots.map(({ batchId }) => batchId),
      events: rows.length,
      last: rows.at(-1)?.quarantine_id,
    };
  })) as Claimed;
}

interface Lot {
  batchId: string;
  ids: string[];
}

function cutLots(rows: readonly Claimable[]): Lot[] {
  const lots: Lot[] = [];
  const open = new Map<string, { lot: Lot; bytes: number }>();
  for (const { quarantine_id, project_id, station, bytes } of rows) {
    // A batch holds one project, and either events to be judged anew or packed ones.
    const kind = `${station} ${project_id}`;
    let place = open.get(kind);
    if (place === undefined || place.bytes + bytes > lotBytesMax) {
      place = { lot: { batchId: newBatchId(), ids: [] }, bytes: 0 };
      lots.push(place.lot);
      open.set(kind, place);
    }
    place.bytes += bytes;
    place.lot.ids.push(quarantine_id);
  }
  return lots;
}

async function name(
  tx: TransactionSql,
  { batchId, ids }: Lot,
  asked: RetryAsked,
  nowMs: number,
): Promise<void> {
  await tx`
    with named as (
      select id, place - 1 as place from unnest(${ids}::bigint[]) with ordinality as r(id, place)
    ),
    claimed as (
      update quarantine
      set status = 'retrying', attempts = attempts + 1, next_retry_at = null, is_scheduled = true, retry_batch_id = ${batchId},
        retry_index = named.place, retry_as_new = reason = 'conflict' and ${asked.asNew},
        retried_at = ${new Date(nowMs)}, retry_key = null, retry_hash = null, retry_fingerprint = null,
        retry_refusal = null
      from named
      where quarantine_id = named.id
      returning identity_hash, fingerprint, project_id, retry_index
    )
    insert into audit (
      identity_hash, fingerprint, project_id, action, actor, retry_batch_id, retry_index
    )
    select identity_hash, fingerprint, project_id, 'retry', ${asked.actor}, ${batchId}, retry_index
    from claimed
    order by retry_index`;
}

function newBatchId(): string {
  const id = new Uint8Array(16);
  writeId(id, 0, Date.now(), randomBytes(10));
  return toUuid(id);
}
