// Removes rows that may not be here any more: the bar first, then everyone who may not have seen it, then the rows.
import type { PendingQuery, Row } from "postgres";
import { noteAction } from "../audit.ts";
import { lockMovedAlone } from "../moved.ts";
import { unpacking } from "../store/columnstore.ts";
import type { Store } from "../store/store.ts";
import { type SubjectKind, subjectHash } from "./bars.ts";
import { forgetQuarantined } from "./remove-quarantined.ts";
import { settleStreams, touchStreams } from "./streams.ts";

/** `type` absent: all of them. `from`: epoch ms, the first moment that stays. */
export interface Retention {
  project: string;
  /** Who asks for it. */
  actor: string;
  type?: string | undefined;
  from: number;
}

/** `until`: epoch ms, the last event time that goes. */
export interface Erasure {
  project: string;
  actor: string;
  kind: SubjectKind;
  id: string;
  until: number;
}

/** Rows of events, and events in quarantine. */
export interface Removed {
  rows: number;
  quarantined: number;
}

const dayMs = 86_400_000;
const rowsAtOnce = 5_000;

/**
 * Removes a project's events before a time, and has later copies of them counted as `expired`. The bound
 * only moves forward: a call with an earlier one removes nothing.
 */
export async function expireEvents(store: Store, retention: Retention): Promise<Removed> {
  const { project, type = "", from, actor } = retention;
  const target = `${type === "" ? "all types" : type} before ${new Date(from).toISOString()}`;
  await store.sql.begin(async (tx) => {
    const moved = await tx`
      insert into retained_from as r (project_id, type, retained_from)
      values (${project}, ${type}, ${new Date(from)})
      on conflict (project_id, type) do update
      set retained_from = excluded.retained_from, moved_at = now()
      where excluded.retained_from > r.retained_from
      returning 1`;
    if (moved.length > 0) await noteAction(tx, { action: "expire", actor, project, target });
  });
  await awaitWriters(store);
  const ofType = type === "" ? store.sql`` : store.sql`and type = ${type}`;
  const rows = await removeRows(store, project, "expired", from - 1, ofType);
  await settleStreams(store, project, type === "" ? from : undefined);
  return { rows, quarantined: 0 };
}

/**
 * Removes what is known of a subject up to a time: its events, and what of them lies in quarantine. Later
 * copies of them are counted as `erased`. Run again after a failure it goes on.
 */
export async function eraseSubject(store: Store, erasure: Erasure): Promise<Removed> {
  const { sql } = store;
  const { project, kind, id, until, actor } = erasure;
  const hash = subjectHash(project, kind, id);
  await sql.begin(async (tx) => {
    await tx`
      insert into erasures as e (project_id, subject_hash, kind, erased_until)
      values (${project}, decode(${hash}, 'hex'), ${kind}, ${new Date(until)})
      on conflict (project_id, subject_hash) do update set
        erased_until = greatest(e.erased_until, excluded.erased_until), requested_at = now(), finished_at = null`;
    await noteAction(tx, { action: "erase", actor, project, target: `${kind} ${hash}` });
  });
  await awaitWriters(store);
  const rows = await removeRows(store, project, "erased", until, sql`and ${sql(kind)} = ${id}`);
  const quarantined = await forgetQuarantined(store, erasure);
  await settleStreams(store, project);
  // Their number stays behind in figures of days that are frozen; who it was does not.
  await sql`
    update persons set person = null
    where project_id = ${project} and person = ${id}
      and not exists (
        select 1 from events where project_id = ${project} and coalesce(user_id, anonymous_id) = ${id}
      )`;
  await sql`
    update erasures set finished_at = now() where project_id = ${project} and subject_hash = decode(${hash}, 'hex')`;
  return { rows, quarantined };
}

// A writer reads the bars behind its shared lock. Whoever had it before the bar was there is done after
// this; it is let go at once, for nobody is to wait while rows are removed.
async function awaitWriters(store: Store): Promise<void> {
  await store.sql.begin(lockMovedAlone);
}

// A day at a time: each statement looks into one partition or chunk.
async function removeRows(
  store: Store,
  project: string,
  reason: "expired" | "erased",
  until: number,
  condition: PendingQuery<Row[]>,
): Promise<number> {
  const [span] = await store.sql`
    select (extract(epoch from min(event_time)) * 1000)::float8 as first_ms from events
    where project_id = ${project} and event_time <= ${new Date(until)}`;
  if (typeof span?.["first_ms"] !== "number") return 0;
  let rows = 0;
  let first: number | undefined = span["first_ms"];
  while (first !== undefined) {
    const day = Math.floor(first / dayMs) * dayMs;
    const last = Math.min(until, day + dayMs - 1);
    for (;;) {
      const removed = await removeSome(store, project, reason, [day, last], condition);
      rows += removed;
      if (removed < rowsAtOnce) break;
    }
    first = await firstFrom(store, day + dayMs, until);
  }
  return rows;
}

// The next event of whatever project: ids begin with their time and have an index, so days without any cost nothing.
async function firstFrom({ sql }: Store, from: number, until: number): Promise<number | undefined> {
  const id = `${from.toString(16).padStart(12, "0")}${"0".repeat(20)}`;
  const [row] = await sql<{ ms: number }[]>`
    select (extract(epoch from event_time) * 1000)::float8 as ms from events
    where id >= ${id}::uuid and event_time >= ${new Date(from)} and event_time <= ${new Date(until)}
    order by id limit 1`;
  return row?.ms;
}

async function removeSome(
  store: Store,
  project: string,
  reason: string,
  [first, last]: readonly [number, number],
  condition: PendingQuery<Row[]>,
): Promise<number> {
  const day = new Date(first).toISOString().slice(0, 10);
  const [row] = await unpacking(
    store,
    (sql) => sql<[{ removed: number }]>`
    with due as (
      select id, event_time from events
      where project_id = ${project} and event_time between ${new Date(first)} and ${new Date(last)} ${condition}
      limit ${rowsAtOnce}
    ),
    gone as (
      delete from events e
      using due
      where e.id = due.id and e.event_time = due.event_time
        and e.event_time between ${new Date(first)} and ${new Date(last)}
      returning e.id, e.stream_id
    ),
    noted as (
      insert into row_removals (project_id, day, reason, removed)
      select ${project}, ${day}, ${reason}, count(*) from gone having count(*) > 0
    ),
    -- A day of which events have expired is frozen: read anew, it would lose what it once had.
    stale as (
      insert into stale_days (project_id, day)
      select ${project}, ${day} from gone
      where ${reason === "erased"}
        and not exists (
          select 1 from row_removals where project_id = ${project} and day = ${day} and reason = 'expired'
        )
      limit 1
      on conflict (project_id, day) do update set marked_at = stale_days.marked_at
    ),
    touched as (${touchStreams(store, project, store.sql`select stream_id from gone`)}),
    kept_out as (
      update moved_events set removed_at = now() where id in (select id from gone)
    )
    select count(*)::int as removed from gone`,
  );
  return row.removed;
}
