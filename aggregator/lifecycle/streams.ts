// Streams whose events were removed: without any left they go, too, and leave no gap; the others forget what
// only the removed ones said.
import type { PendingQuery, Row } from "postgres";
import { streamHash } from "../completeness/removed.ts";
import { lockMovedAlone } from "../moved.ts";
import type { Store } from "../store/store.ts";

const streamsAtOnce = 5_000;

interface Found {
  stream_id: string;
  version: string;
  first_time: Date;
  last_time: Date;
}

/**
 * Settles the project's streams that a removal has touched, and those seen last before `before`, epoch ms.
 * One that a writer folds into meanwhile is left for the next call: it has an event again.
 */
export async function settleStreams(store: Store, project: string, before?: number): Promise<void> {
  const isOld = before === undefined ? store.sql`` : store.sql`or last_time < ${new Date(before)}`;
  for (let after = ""; ; ) {
    const streams = await store.sql<Found[]>`
      select stream_id, xmin::text as version, first_time, last_time
      from streams
      where project_id = ${project} and stream_id > ${after} and (touched_at is not null ${isOld})
      order by stream_id
      limit ${streamsAtOnce}`;
    if (streams.length > 0) await settle(store, project, streams);
    if (streams.length < streamsAtOnce) return;
    after = streams.at(-1)!.stream_id;
  }
}

/** Marks the streams of removed rows; a part of the statement that removes them, in the order of all writers. */
export const touchStreams = (store: Store, project: string, gone: PendingQuery<Row[]>): PendingQuery<Row[]> =>
  store.sql`
    update streams s
    set touched_at = now()
    from (
      select stream_id
      from streams
      where project_id = ${project} and stream_id in (${gone})
      order by stream_id
      for update
    ) t
    where s.project_id = ${project} and s.stream_id = t.stream_id`;

// What is left is looked for before the lock, for it may take long; whoever wrote since has another version.
async function settle(store: Store, project: string, streams: readonly Found[]): Promise<void> {
  const ids = streams.map((stream) => stream.stream_id);
  const first = Math.min(...streams.map((stream) => stream.first_time.getTime()));
  const last = Math.max(...streams.map((stream) => stream.last_time.getTime()));
  const left = await store.sql`
    select distinct on (stream_id) stream_id, id, app_version, country, context ->> 'browser' as browser, device
    from events
    where project_id = ${project} and stream_id = any(${ids}) and seq >= 0
      and identity not in ('content', 'window')
      and event_time between ${new Date(first)} and ${new Date(last + 1)}
    order by stream_id, id desc`;
  const newest = new Map(left.map((row) => [String(row["stream_id"]), row]));
  const asked = streams.map(({ stream_id, version }) => ({ ...newest.get(stream_id), stream_id, version }));
  await store.sql.begin(async (tx) => {
    await lockMovedAlone(tx);
    await tx`
      with asked as (
        select * from jsonb_to_recordset(${tx.json(asked as never)}) as r(
          stream_id text, version text, id uuid, app_version text, country text, browser text, device text
        )
      ),
      gone as (
        delete from streams s
        using asked a
        where s.project_id = ${project} and s.stream_id = a.stream_id and s.xmin::text = a.version and a.id is null
        returning s.stream_id, greatest(upper(s.seqs), s.numbered_from) as next_seq, s.declared_lost
      ),
      noted as (
        insert into removed_streams as r (project_id, stream_hash, next_seq, declared_lost)
        select ${project}, ${streamHash(tx, "stream_id")}, next_seq, declared_lost
        from gone
        on conflict (project_id, stream_hash) do update set
          next_seq = greatest(r.next_seq, excluded.next_seq),
          declared_lost = r.declared_lost + excluded.declared_lost
      )
      update streams s
      set touched_at = null, last_id = a.id, app_version = a.app_version, country = a.country,
        browser = a.browser, device = a.device
      from asked a
      where s.project_id = ${project} and s.stream_id = a.stream_id and s.xmin::text = a.version
        and a.id is not null`;
  });
}
