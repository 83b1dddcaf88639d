// Events for the benchmarks of questions, made inside the database: sessions of a few people who come often
// and many who come seldom. The same figures make the same events.
import { createPartitions } from "../../aggregator/partitions.ts";
import type { Store } from "../../aggregator/store/store.ts";

export interface AnswersData {
  events: number;
  users: number;
  days: number;
  /** First moment, epoch ms, a UTC midnight. */
  from: number;
  /** Events of two lots are other events; empty by default. */
  lot?: string;
}

const dayMs = 86_400_000;
const eventsPerSession = 8;

/** Puts the events in, day after day, and calls every day stale, so that the models read all of them. */
export async function makeEvents(store: Store, data: AnswersData): Promise<void> {
  const days = Array.from({ length: data.days }, (_, at) => data.from + at * dayMs);
  await createPartitions(store).ensure(days.map((time) => ({ time })));
  const session = await store.writer();
  await session`set statement_timeout = 0`;
  const { lot = "" } = data;
  const perDay = Math.ceil(data.events / data.days);
  for (const [at, day] of days.entries()) {
    const count = Math.min(perDay, data.events - at * perDay);
    await session`
      with sessions as (
        select n,
          ('x' || substr(md5(${`${lot}${at} `} || n), 1, 8))::bit(32)::bigint / 4294967296.0 as a,
          ('x' || substr(md5(${`${lot}${at} `} || n), 9, 8))::bit(32)::bigint / 4294967296.0 as b,
          md5(${`${lot}${at} session `} || n) as hash
        from generate_series(0, ${Math.ceil(count / eventsPerSession) - 1}::int) as n
      ),
      made as (
        select n * ${eventsPerSession} + k as row,
          -- The cube: a tenth of the people make half of the events.
          'user-' || floor(${data.users} * a * a * a)::int as user_id,
          s.hash,
          ${day}::bigint + least(floor(b * 86000000)::bigint + k * 41000 + mod(n, 997), 86399999) as ms,
          case when k = 0 then 'session_start'
            when k = 5 and mod(n, 4) = 0 then 'add_to_cart'
            when k = 6 and mod(n, 8) = 0 then 'checkout'
            when k = 7 and mod(n, 16) = 0 then 'purchase'
            when mod(k, 3) = 2 then 'click'
            else 'page_view' end as type,
          (array['DE', 'US', 'BR', 'GB', 'IN', 'FR'])[1 + mod(n, 6)] as country,
          (array['phone', 'desktop', 'tablet'])[1 + mod(n, 3)] as device,
          '2.' || mod(n, 5) as app_version
        from sessions s
        cross join generate_series(0, ${eventsPerSession - 1}) as k
      )
      insert into events (
        id, event_time, client_time, received_at, fingerprint, flags, project_id, identity, type, version, event_id,
        user_id, session_id, country, device, app_version, revenue, currency, payload, context, metadata
      )
      select (lpad(to_hex(ms), 12, '0') || '7' || substr(key, 1, 3) || '8' || substr(key, 4, 15))::uuid,
        to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0) + interval '80 milliseconds',
        hashtextextended(key, 0), 0, 'bench', 'event_id', type, 1, key, user_id, hash, country, device, app_version,
        case type when 'purchase' then 19.9 + mod(row, 50) end, case type when 'purchase' then 'USD' end,
        jsonb_build_object('path', '/p/' || mod(row, 300), 'position', mod(row, 17), 'referrer', 'https://example.com/' || mod(row, 40)),
        '{}', '{}'
      from (select *, md5(${`${lot}${at} event `} || row) as key from made where row < ${count}) as keyed
      order by ms`;
    await session`
      insert into stale_days (project_id, day) values ('bench', ${new Date(day).toISOString().slice(0, 10)})
      on conflict do nothing`;
  }
  await session`analyze events`;
  await session.end();
}
