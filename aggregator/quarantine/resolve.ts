// Says what became of what was received anew, once the ledger has its batch; what was refused again is open again.
import type { TransactionSql } from "postgres";
import { fromUuid } from "../../shared/event/bytes.ts";
import { eventTimeOf } from "../../shared/event/identity.ts";
import type { QuarantineReason } from "../../shared/problem.ts";
import type { Store } from "../store/store.ts";
import { nextRetryAt } from "./transient.ts";

/**
 * `stored`: the event is in the store. `quarantined`: another row of the quarantine has it. `duplicate`: it
 * was counted as a copy, or as expired or erased. `refused_again`: this row is open as before.
 */
export type RetryOutcome = "stored" | "quarantined" | "duplicate" | "refused_again";

export interface Resolved {
  id: string;
  outcome: RetryOutcome;
  detail: string;
}

interface Sent {
  quarantine_id: string;
  reason: QuarantineReason;
  attempts: number;
  retry_key: string | null;
  retry_hash: Buffer;
  retry_fingerprint: string;
  retry_refusal: string | null;
}

const resolvedAtOnce = 500;

/** Resolves up to 500 rows, of these batches or of all. Nothing is resolved twice. */
export async function resolveSent(
  store: Store,
  nowMs: number,
  batchIds?: readonly string[],
): Promise<Resolved[]> {
  return (await store.sql.begin(async (tx) => {
    const rows = await tx<Sent[]>`
      select quarantine_id, reason, attempts, retry_key, retry_hash, retry_fingerprint, retry_refusal
      from quarantine q
      where status = 'sent'
        ${batchIds === undefined ? tx`` : tx`and retry_batch_id = any(${[...batchIds]}::uuid[])`}
        and exists (select from ledger l where l.batch_id = q.retry_batch_id)
      order by quarantine_id
      limit ${resolvedAtOnce}
      for update skip locked`;
    if (rows.length === 0) return [];
    const [stored, kept] = [await findStored(tx, rows), await findKept(tx, rows)];
    const resolved = rows.map((row) => outcomeOf(row, stored, kept));
    await settle(tx, rows, resolved, nowMs);
    return resolved;
  })) as Resolved[];
}

/** What was noted of the rows of these batches: the sums, and up to `rowsMax` of them, the troubled ones first. */
export async function readResolved(
  store: Store,
  batchIds: readonly string[],
  rowsMax: number,
): Promise<{ counts: ReadonlyMap<RetryOutcome, number>; rows: Resolved[] }> {
  const { sql } = store;
  const noted = sql`
    retry_batch_id = any(${[...batchIds]}::uuid[]) and action in ('retried', 'refused_again')`;
  const sums = await sql<{ outcome: RetryOutcome; events: number }[]>`
    select outcome, count(*)::float8 as events
    from audit
    where ${noted}
    group by outcome`;
  const rows = await sql<Resolved[]>`
    select q.quarantine_id as id, a.outcome, a.why as detail
    from (
      select * from audit where ${noted} order by outcome = 'stored', audit_id limit ${rowsMax}
    ) a
    join quarantine q on q.identity_hash = a.identity_hash and q.fingerprint = a.fingerprint
    order by a.outcome = 'stored', a.audit_id`;
  return { counts: new Map(sums.map(({ outcome, events }) => [outcome, events])), rows };
}

function outcomeOf(
  row: Sent,
  stored: ReadonlySet<string>,
  kept: ReadonlyMap<string, { id: string; reason: string; detail: string }>,
): Resolved {
  const { quarantine_id: id, retry_key: key } = row;
  if (key === null) return { id, outcome: "refused_again", detail: row.retry_refusal ?? "" };
  if (stored.has(id)) return { id, outcome: "stored", detail: "" };
  const other = kept.get(id);
  if (other === undefined) return { id, outcome: "duplicate", detail: "" };
  // The store would not have it, or the claims still knew it from then: either way it is only here.
  if (other.id === id) {
    const detail = row.retry_refusal ?? `${other.reason} ${other.detail}`.trim();
    return { id, outcome: "refused_again", detail };
  }
  return { id, outcome: "quarantined", detail: `${other.reason}, kept as ${other.id}` };
}

// The very content: another one under this identity is a conflict, and kept as such.
async function findStored(tx: TransactionSql, rows: readonly Sent[]): Promise<ReadonlySet<string>> {
  const asked = rows.flatMap((row) => {
    const { quarantine_id: id, retry_key: key, retry_fingerprint: fingerprint } = row;
    if (key === null) return [];
    const hash = row.retry_hash.toString("hex");
    return [{ id, key, hash, fingerprint, ms: eventTimeOf(fromUuid(key)) }];
  });
  const found = await tx`
    with asked as (
      select id, key, decode(hash, 'hex') as hash, fingerprint, to_timestamp(ms / 1000.0) as time
      from jsonb_to_recordset(${tx.json(asked)}) as r(
        id bigint, key uuid, hash text, fingerprint bigint, ms bigint
      )
    )
    select a.id
    from asked a
    join events e on e.id = a.key and e.event_time = a.time and e.fingerprint = a.fingerprint
    union
    select a.id
    from asked a
    join moved_events m on m.identity_hash = a.hash
    join events e on e.id = m.id and e.fingerprint = a.fingerprint`;
  return new Set(found.map((row) => String(row["id"])));
}

async function findKept(tx: TransactionSql, rows: readonly Sent[]) {
  const asked = rows.map((row) => ({
    id: row.quarantine_id,
    hash: row.retry_hash.toString("hex"),
    fingerprint: row.retry_fingerprint,
  }));
  const found = await tx<{ asked_id: string; id: string; reason: string; detail: string }[]>`
    select r.id as asked_id, q.quarantine_id as id, q.reason, q.detail
    from jsonb_to_recordset(${tx.json(asked)}) as r(id bigint, hash text, fingerprint bigint)
    join quarantine q on q.identity_hash = decode(r.hash, 'hex') and q.fingerprint = r.fingerprint`;
  return new Map(found.map((row) => [row.asked_id, row]));
}

async function settle(
  tx: TransactionSql,
  rows: readonly Sent[],
  resolved: readonly Resolved[],
  nowMs: number,
): Promise<void> {
  const told = resolved.map(({ id, outcome, detail }, at) => {
    const isOpen = outcome === "refused_again";
    const next = isOpen ? nextRetryAt(rows[at]!, nowMs) : undefined;
    return {
      id,
      status: isOpen ? "open" : "retried",
      outcome,
      detail,
      next_ms: next ?? null,
    };
  });
  await tx`
    with told as (
      select * from jsonb_to_recordset(${tx.json(told)}) as r(
        id bigint, status text, outcome text, detail text, next_ms bigint
      )
    ),
    settled as (
      update quarantine q
      set status = told.status, next_retry_at = to_timestamp(told.next_ms / 1000.0)
      from told
      where q.quarantine_id = told.id
      returning q.*, told.outcome, told.detail as why
    )
    insert into audit (
      identity_hash, fingerprint, project_id, action, actor, outcome, why, retry_batch_id, retry_index
    )
    select identity_hash, fingerprint, project_id,
      case status when 'open' then 'refused_again' else 'retried' end,
      'ledger', outcome, why, retry_batch_id, retry_index
    from settled
    order by quarantine_id`;
}
