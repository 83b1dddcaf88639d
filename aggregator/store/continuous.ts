// The hourly view as a continuous aggregate, where the server keeps such: TimescaleDB's community edition.
import { rightsOf } from "./flavour-swap.ts";
import type { Store } from "./store.ts";

/** What the policy leaves to the events themselves: the hours that still fill. */
const tail = "1 hour";
const every = "15 minutes";

/**
 * Has `hourly_dimensions` kept up to date every 15 minutes; the last hours are always read from the events. Runs
 * again without effect; elsewhere the view stays one of the events.
 */
export async function keepHours(store: Store): Promise<void> {
  if (store.flavour !== "timescale-community") return;
  const session = await store.writer();
  try {
    await session.begin(async (tx) => {
      // Whoever migrates at the same time waits, and then finds it made.
      await tx`select pg_advisory_xact_lock(hashtextextended(${`${store.schema}.hourly_dimensions`}, 0))`;
      const [found] = await tx`
        select 1 from timescaledb_information.continuous_aggregates
        where view_schema = ${store.schema} and view_name = 'hourly_dimensions'`;
      if (found !== undefined) return;
      const [view] = await tx`
        select obj_description(oid, 'pg_class') as comment from pg_class where oid = to_regclass('hourly_dimensions')`;
      const rights = await rightsOf(tx, "hourly_dimensions");
      await tx`drop view hourly_dimensions`;
      await tx`
        create materialized view hourly_dimensions
        with (timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.create_group_indexes = false) as
        select
          project_id, time_bucket('1 hour', event_time) as hour, type, country, city, device, app_version, currency,
          count(*) as events, sum(revenue) as revenue
        from events
        group by 1, 2, 3, 4, 5, 6, 7, 8
        with no data`;
      await tx.unsafe(
        `comment on view hourly_dimensions is '${String(view?.["comment"]).replaceAll("'", "''")}'`,
      );
      for (const right of rights) await tx.unsafe(right);
      await tx.unsafe(`
        select add_continuous_aggregate_policy(
          'hourly_dimensions', start_offset => null, end_offset => interval '${tail}',
          schedule_interval => interval '${every}', initial_start => now() + interval '${every}'
        )`);
    });
  } finally {
    await session.end({ timeout: 5 });
  }
}

/**
 * Takes what was removed or came late into the hours at once, which the policy would do within 15 minutes. Only
 * hours in which something has changed are counted again. Rejects with 55P03 (`isPassing`) while another does so.
 */
export async function refreshHours(store: Store): Promise<void> {
  await store.inspect();
  if (store.flavour !== "timescale-community") return;
  const session = await store.writer();
  try {
    await session`set statement_timeout = 0`;
    await session.unsafe(
      `call refresh_continuous_aggregate('hourly_dimensions', null, date_trunc('hour', now() - interval '${tail}'))`,
    );
  } finally {
    await session.end({ timeout: 5 });
  }
}
