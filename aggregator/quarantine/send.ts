// Sends the batch that was named for quarantined events; as often as it takes, it is the same batch.
import { reach } from "../../shared/crash-point.ts";
import { fromUuid, toUuid } from "../../shared/event/bytes.ts";
import { flag } from "../../shared/event/event.ts";
import { writeId } from "../../shared/event/identity.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import type { OriginalEvent, PackedEvent, Reenter, Reentered } from "../../shared/wire/reentry.ts";
import type { Store } from "../store/store.ts";
import { asNew } from "./as-new.ts";

interface Row {
  quarantine_id: string;
  batch_id: string;
  index: number;
  project_id: string;
  station: string;
  reason: string;
  identity_hash: Buffer;
  fingerprint: Buffer;
  original: Buffer;
  received_at: Date;
  event_key: string | null;
  flags: number;
  dialect: string;
  identity_asked: string | null;
  sent_at: Date | null;
  retry_as_new: boolean;
  retried_at: Date;
}

/**
 * Sends the batch and notes what each event is known by now, or that it was refused again, which opens
 * its row anew. Rejects as the way in does; the rows then stay as they are, and it is to be called again.
 */
export async function sendBatch(store: Store, reenter: Reenter, batchId: string): Promise<void> {
  const rows = await store.sql<Row[]>`
    select quarantine_id, batch_id, index, project_id, station, reason, identity_hash,
      int8send(fingerprint) as fingerprint, original, received_at, event_key, flags, dialect, identity_asked,
      sent_at, retry_as_new, retried_at
    from quarantine
    where retry_batch_id = ${batchId} and status = 'retrying'
    order by retry_index`;
  const [first] = rows;
  if (first === undefined) return;
  reach("retry_named");
  const isEdge = first.station === "edge";
  const answers = await reenter.send({
    batchId: fromUuid(batchId),
    project: first.project_id,
    receivedAt: first.retried_at.getTime(),
    originals: isEdge ? rows.map(originalOf) : [],
    packed: isEdge ? [] : rows.map(packedOf),
  });
  reach("retry_sent");
  await note(store, batchId, rows, answers);
}

// Its time is judged as when it came first; one that lay ahead then, by the clock of now.
function originalOf(row: Row): OriginalEvent {
  return {
    hash: row.identity_hash,
    fingerprint: row.fingerprint,
    bytes: row.original,
    dialect: row.dialect,
    identity: row.identity_asked ?? undefined,
    historical: (row.flags & flag.historical) !== 0 || row.reason === "time_too_old",
    isRedacted: (row.flags & flag.redacted) !== 0,
    judgedAt: (row.reason === "time_ahead" ? row.retried_at : row.received_at).getTime(),
    sentAt: row.sent_at?.getTime(),
  };
}

function packedOf(row: Row): PackedEvent {
  const event = {
    key: row.event_key === null ? keyOf(row) : fromUuid(row.event_key),
    hash: row.identity_hash,
    fingerprint: row.fingerprint,
    flags: row.flags,
    bytes: row.original,
  };
  return row.retry_as_new ? asNew(event, row.project_id, `${row.batch_id}/${row.index}`) : event;
}

// What was kept before keys were is known by its own time.
function keyOf({ original, identity_hash, received_at }: Row): Uint8Array {
  const key = new Uint8Array(16);
  writeId(key, 0, timeIn(original) ?? received_at.getTime(), identity_hash);
  return key;
}

function timeIn(bytes: Uint8Array): number | undefined {
  try {
    return unpackEvent(bytes).clientTime ?? undefined;
  } catch {
    return undefined;
  }
}

// Told only where the store turns out not to have it: what the store refused was claimed before.
const stillClaimed = "the claims still know it from before; it can be sent again after five minutes";

async function note(
  store: Store,
  batchId: string,
  rows: readonly Row[],
  answers: readonly Reentered[],
): Promise<void> {
  const told = rows.map((row, at) => {
    const { refusal, isKnown, key, hash, fingerprint } = answers[at]!;
    const why = refusal === undefined ? stillClaimed : `${refusal.code} ${refusal.pointer}`.trim();
    return {
      id: row.quarantine_id,
      key: refusal === undefined ? toUuid(key) : null,
      hash: Buffer.from(hash).toString("hex"),
      fingerprint: String(Buffer.from(fingerprint).readBigInt64BE()),
      refusal: refusal !== undefined || isKnown ? why : null,
    };
  });
  await store.sql`
    update quarantine q
    set status = 'sent', retry_key = r.key, retry_hash = decode(r.hash, 'hex'),
      retry_fingerprint = r.fingerprint, retry_refusal = r.refusal
    from jsonb_to_recordset(${store.sql.json(told)}) as r(
      id bigint, key uuid, hash text, fingerprint bigint, refusal text
    )
    where q.quarantine_id = r.id and q.status = 'retrying' and q.retry_batch_id = ${batchId}`;
}
