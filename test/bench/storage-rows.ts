// Rows for the storage benchmark: a day of a site's own beacon, made inside the database, and the table of the
// first seed with the same rows.
import type { Sql } from "postgres";

const day = "2026-03-10T00:00:00Z";

/**
 * Puts about `rows` events into `events`: sessions of 4 to 30 page views, clicks and purchases, numbered within
 * their stream and without an id of the client's, sent in requests of five. Ids and fingerprints are hashes, and
 * names are as long as the beacon's: nothing makes those smaller.
 */
export async function fillBeacon(session: Sql, rows: number): Promise<void> {
  await session`select setseed(0.5)`;
  await session.unsafe(`
    with sessions as materialized (
      select
        substr(md5('u' || (pow(random(), 2) * 20000)::int), 1, 12) as user_id,
        left(md5('s' || g), 27) as session_id,
        left(md5('t' || g), 27) as stream_id,
        timestamptz '${day}' + random() * interval '23 hours' as started,
        4 + (random() * 26)::int as count,
        (array['DE', 'FR', 'GB', 'US', 'ES', 'IT', 'NL'])[1 + floor(random() * 7)::int] as country,
        (array['Berlin', 'Paris', 'London', 'Boston', 'Madrid', 'Rome', 'Delft'])[1 + floor(random() * 7)::int] as city,
        (array['phone', 'desktop', 'tablet'])[1 + floor(random() * 3)::int] as device,
        (array['2.1.0', '2.2.0', '2.3.1'])[1 + floor(random() * 3)::int] as app_version
      from generate_series(1, ${Math.round(rows / 17)}) as g
    ),
    happened as materialized (
      select s.*, seq, random() as r, encode(sha256(convert_to(stream_id || seq, 'UTF8')), 'hex') as hash,
        date_trunc('milliseconds', started + seq * interval '20 s' + random() * interval '15 s') as at,
        date_trunc('milliseconds', started + (seq / 5 + 1) * interval '100 s') as received_at
      from sessions s, generate_series(1, count) as seq
    )
    insert into events (
      id, event_time, client_time, received_at, stored_at, fingerprint, clock_offset_ms, seq, version, flags, identity,
      project_id, type, user_id, session_id, stream_id, country, city, device, app_version, revenue, currency, payload,
      context, metadata
    )
    select
      (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8'
        || substr(hash, 4, 15))::uuid,
      at, at, received_at, date_bin('20 ms', received_at + interval '40 ms', 'epoch'),
      ('x' || substr(hash, 33, 16))::bit(64)::bigint, 12, seq, 1, 0, 'sequence', 'default',
      case when r < 0.7 then 'page_view' when r < 0.95 then 'click' else 'purchase' end,
      user_id, session_id, stream_id, country, city, device, app_version,
      case when r >= 0.95 then round((r * 1000)::numeric, 2) end, case when r >= 0.95 then 'EUR' end,
      case
        when r < 0.7 then jsonb_build_object('path', '/product/' || (r * 1e6)::int % 500, 'ms', (r * 1e5)::int % 900)
        when r < 0.95 then jsonb_build_object('element', 'button-' || (r * 1e6)::int % 40)
        else jsonb_build_object('revenue', round((r * 1000)::numeric, 2), 'currency', 'EUR', 'items', (r * 1e5)::int % 5)
      end,
      jsonb_build_object('browser', (array['Chrome', 'Safari', 'Firefox'])[1 + length(country || city) % 3]), '{}'
    from happened
    order by received_at`);
}

/** The first seed's table with its own settings, filled with the rows that events has. */
export async function fillSeed(session: Sql): Promise<void> {
  await session`
    create table seed_events (
      idempotency_key text not null,
      event_ts timestamptz not null,
      user_id text not null,
      session_id text,
      event_type text not null,
      device text,
      country text,
      app_version text,
      payload jsonb not null,
      received_at timestamptz not null,
      primary key (idempotency_key, event_ts)
    )`;
  await session`
    select create_hypertable('seed_events', by_range('event_ts', interval '1 day'), create_default_indexes => false)`;
  await session`create index on seed_events (user_id, event_ts desc)`;
  await session`
    insert into seed_events
    select encode(sha256(uuid_send(id)), 'hex'), event_time, coalesce(user_id, ''), session_id, type, device, country,
      app_version, payload, received_at
    from events`;
  await session`
    alter table seed_events set (
      timescaledb.compress, timescaledb.compress_segmentby = 'user_id', timescaledb.compress_orderby = 'event_ts desc'
    )`;
}
