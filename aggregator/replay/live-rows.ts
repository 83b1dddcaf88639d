// What the live store holds of the events that a replay is about to write, and which copy of each it is.
import type { TransactionSql } from "postgres";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import type { DecodedSlice } from "../decode.ts";

/** One event of a step, as far as its copies have to be told apart. */
export interface Copy {
  slice: DecodedSlice;
  batchId: string;
  /** Its packed bytes, which are read only where nothing else tells two copies apart. */
  body(): Uint8Array;
  id: string;
  /** Of a moved event: the id it would have, were its client's clock right. */
  unmovedId: string | undefined;
  fingerprint: string;
  receivedAt: number;
}

/** The row the live store has for an identity: when its transaction began, and when it was received. */
export interface LiveRow {
  time: bigint;
  receivedAt: number;
  context: string;
  clockOffsetMs: string | null;
}

/**
 * The rows by identity hash: found by id, and for events whose time was moved by the id noted for them, or by
 * the unmoved one.
 */
export async function liveRows(
  live: TransactionSql,
  copies: ReadonlyMap<string, readonly Copy[]>,
): Promise<Map<string, LiveRow>> {
  const all = [...copies].flatMap(([hash, own]) =>
    own.flatMap(({ id, unmovedId }) =>
      (unmovedId === undefined ? [id] : [id, unmovedId]).map((one) => ({ hash, id: one })),
    ),
  );
  const rows = await live`
    with asked as (
      select hash, id
      from jsonb_to_recordset(${live.json(all)}) as r(hash text, id uuid)
    ),
    noted as (
      select a.hash, m.id
      from (select distinct hash from asked) a
      join moved_events m on m.identity_hash = decode(a.hash, 'hex')
    ),
    wanted as (
      select hash, id, to_timestamp(
        ('x' || lpad(translate(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint / 1000.0
      ) as event_time
      from (select * from asked union select * from noted) either
    )
    select distinct
      w.hash,
      (extract(epoch from e.stored_at) * 1000000)::bigint as time,
      (extract(epoch from e.received_at) * 1000)::float8 as received_at,
      e.context::text as context,
      e.clock_offset_ms::text as clock_offset_ms
    from wanted w
    join events e on e.id = w.id and e.event_time = w.event_time`;
  return new Map(
    rows.map((row) => [
      String(row["hash"]),
      {
        time: BigInt(row["time"]),
        receivedAt: Number(row["received_at"]),
        context: String(row["context"]),
        clockOffsetMs: row["clock_offset_ms"] as string | null,
      },
    ]),
  );
}

/** Of copies received in one millisecond: what the edge added to each is its own. */
export function isStored(copy: Copy, row: LiveRow): boolean {
  try {
    const { context, clockOffsetMs } = unpackEvent(copy.body());
    const isSameClock = (clockOffsetMs === null ? null : String(clockOffsetMs)) === row.clockOffsetMs;
    return isSameClock && Bun.deepEquals(JSON.parse(context), JSON.parse(row.context));
  } catch {
    return false;
  }
}

/** A content in quarantine. */
export interface KeptRow {
  hash: string;
  fingerprint: string;
  batchId: string;
  time: bigint;
}

/** The quarantined contents among the copies, each with the batch whose copy was kept. */
export async function keptRows(
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
