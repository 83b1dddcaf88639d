// Removes what has lain in quarantine for its time, in bounded steps; the counts stay.
import type { PendingQuery, Row } from "postgres";
import type { Store } from "../store/store.ts";

const dayMs = 86_400_000;
const rowsAtOnce = 1_000;
/** Steps of one round; what is left waits for the next. */
const stepsMax = 20;

/**
 * Removes rows received more than `days` days ago, with their events and what was done with them, and counts
 * them by project, day and reason, so that every quarantined event is still accounted for. Answers how many.
 */
export async function expireRows(store: Store, nowMs: number, days: number): Promise<number> {
  const before = new Date(nowMs - days * dayMs);
  let expired = 0;
  for (let step = 0; step < stepsMax; step += 1) {
    const removed = await expireSome(store, before);
    expired += removed;
    if (removed < rowsAtOnce) break;
  }
  await emptyRecords(store, before);
  return expired;
}

// A retry on its way keeps its rows: it is sent again from them where it was cut short.
const expireSome = (store: Store, before: Date): Promise<number> =>
  forget(
    store,
    store.sql`
      select quarantine_id
      from quarantine
      where received_at < ${before} and status not in ('retrying', 'sent')
      order by received_at
      limit ${rowsAtOnce}
      for update skip locked`,
  );

/**
 * Removes some rows with their events, and counts them. Answers how many there still were. Of a batch that was
 * named and not known to be sent the others are open again: without these it could not be sent as it was.
 */
export const forgetRows = (store: Store, ids: readonly string[]): Promise<number> =>
  forget(
    store,
    store.sql`select quarantine_id from quarantine where quarantine_id = any(${[...ids]}::bigint[]) for update`,
  );

async function forget(store: Store, due: PendingQuery<Row[]>): Promise<number> {
  const [row] = await store.sql<[{ expired: number }]>`
    with due as (${due}),
    removed as (
      delete from quarantine q
      using due
      where q.quarantine_id = due.quarantine_id
      returning q.project_id, q.received_at, q.reason, q.identity_hash, q.fingerprint, q.retry_batch_id
    ),
    reopened as (
      update quarantine q
      set status = 'open'
      where q.status = 'retrying'
        and q.retry_batch_id in (select retry_batch_id from removed)
        and q.quarantine_id not in (select quarantine_id from due)
    ),
    forgotten as (
      delete from audit a
      using removed r
      where a.identity_hash = r.identity_hash and a.fingerprint = r.fingerprint and a.action <> 'discard'
    ),
    counted as (
      insert into quarantine_expired as c (project_id, day, reason, expired)
      select project_id, (received_at at time zone 'utc')::date, reason, count(*)
      from removed
      group by 1, 2, 3
      order by 1, 2, 3
      on conflict (project_id, day, reason) do update set expired = c.expired + excluded.expired
    )
    select count(*)::int as expired from removed`;
  return row.expired;
}

// Their places in the log stay noted: every offset is accounted for by them.
async function emptyRecords(store: Store, before: Date): Promise<void> {
  await store.sql`
    update quarantined_records
    set original = ''
    where quarantined_at < ${before} and original <> ''`;
}
