// What became of given batches and events, asked by the commands that sent them.
import { toUuid } from "../../shared/event/bytes.ts";
import type { Store } from "../store/store.ts";

/** Sums over the batches that have a ledger row; `known` counts those. */
export interface BatchOutcomes {
  known: number;
  received: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  expired: number;
  erased: number;
}

/** Adds up the ledger rows of batches, by their 16-byte ids. */
export async function outcomesOfBatches(
  store: Store,
  batchIds: readonly Uint8Array[],
): Promise<BatchOutcomes> {
  const [sums] = await store.sql<[BatchOutcomes]>`
    select
      count(*)::int as known,
      coalesce(sum(received), 0)::int as received,
      coalesce(sum(stored), 0)::int as stored,
      coalesce(sum(duplicate), 0)::int as duplicate,
      coalesce(sum(quarantined), 0)::int as quarantined,
      coalesce(sum(expired), 0)::int as expired,
      coalesce(sum(erased), 0)::int as erased
    from ledger_outcomes
    where batch_id = any(${batchIds.map(toUuid)}::uuid[])`;
  return sums;
}

/**
 * Rows of `events` whose client id is one of the given, and how many of the ids have one. The ids go
 * into a temporary table first, so that a million of them is one join and not a thousand scans.
 */
export async function countStoredEvents(
  store: Store,
  project: string,
  lots: Iterable<readonly string[]>,
): Promise<{ ids: number; rows: number }> {
  const session = await store.writer();
  try {
    return await session.begin(async (sql) => {
      await sql`create temporary table sent_ids (event_id text primary key) on commit drop`;
      for (const lot of lots) {
        await sql`
          insert into sent_ids (event_id)
          select unnest(${[...lot]}::text[])
          on conflict do nothing`;
      }
      const [counts] = await sql<[{ ids: number; rows: number }]>`
        select
          count(distinct event_id)::int as ids,
          count(*)::int as rows
        from events
        join sent_ids using (event_id)
        where project_id = ${project}`;
      return counts;
    });
  } finally {
    await session.end();
  }
}
