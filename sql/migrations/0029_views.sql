-- The views that any SQL client may rely on: their names and columns stay. They read the models, so that they are
-- as far as `as_of` of an answer says, and never the events themselves but for who was identified as whom.

-- A piece of a session that begins within a gap behind one of the same person on the day before continues it.
create view sessions as
select
  s.project_id,
  s.number,
  p.person,
  s.is_identified,
  s.day as date,
  s.started_at,
  coalesce(rest.ended_at, s.ended_at) as ended_at,
  s.events::bigint + coalesce(rest.events, 0) as events,
  extract(epoch from coalesce(rest.ended_at, s.ended_at) - s.started_at)::float8 as duration_sec
from person_sessions s
left join persons p using (project_id, number)
cross join lateral (
  with recursive following as (
    select s.day, s.ended_at, 0::bigint as events
    union all
    select n.day, n.ended_at, n.events
    from following f
    cross join lateral (
      select b.day, b.ended_at, b.events::bigint as events
      from person_sessions b
      where b.day = f.day + 1
        and b.project_id = s.project_id
        and b.is_identified = s.is_identified
        and b.number = s.number
        and b.started_at <= f.ended_at + interval '30 minutes'
      offset 0
    ) as n
  )
  select max(ended_at) as ended_at, sum(events)::bigint as events
  from following
  -- Of nothing but this session, so that only those near a midnight are followed.
  where s.ended_at >= (s.day + 1)::timestamp at time zone 'UTC' - interval '30 minutes'
) as rest
where s.started_at > s.day::timestamp at time zone 'UTC' + interval '30 minutes'
  or not exists (
    select 1
    from person_sessions b
    where b.day = s.day - 1
      and b.project_id = s.project_id
      and b.is_identified = s.is_identified
      and b.number = s.number
      and b.ended_at >= s.started_at - interval '30 minutes'
  );

comment on view sessions is
  'Sessions: events of a person with no more than 30 minutes between two. Those with a user_id (is_identified) and those with an anonymous_id alone are sessions of their own; date is the UTC day of the beginning.';

-- A session has no version and no country of its own: it counts where the first event of its person on that day
-- lies. Rows of days and sessions are told apart by first_at, which sessions do not have.
create view daily_metrics as
select
  project_id,
  day as date,
  app_version,
  country,
  count(number) as active_users,
  sum(sessions)::bigint as sessions,
  sum(events)::bigint as events,
  sum(revenue_usd) as revenue_usd,
  sum(lasted_sec) / nullif(sum(sessions), 0) as avg_session_duration_sec
from (
  -- A row for each person, so that those who were there with both kinds of ids count once.
  select
    project_id, day, app_version, country, number,
    sum(events) as events,
    sum(revenue_usd) as revenue_usd,
    sum(sessions) as sessions,
    sum(lasted_sec) as lasted_sec
  from (
    select
      project_id, day, number, events, revenue_usd, sessions, lasted_sec,
      case when first_at is null then first_value(app_version) over own else app_version end as app_version,
      case when first_at is null then first_value(country) over own else country end as country
    from (
      select
        project_id, day, is_identified, number, app_version, country, first_at, events,
        case when currency = 'USD' then revenue else 0 end as revenue_usd,
        0 as sessions,
        0::float8 as lasted_sec
      from person_days
      union all
      select project_id, date, is_identified, number, null, null, null, 0, 0, 1, duration_sec
      from sessions
    ) as counted
    window own as (
      partition by project_id, day, is_identified, number
      order by first_at nulls last, app_version, country
    )
  ) as placed
  group by project_id, day, app_version, country, number
) as people
group by project_id, day, app_version, country;

comment on view daily_metrics is
  'By UTC day, app version and country. active_users: distinct user_ids, or anonymous_ids where there is none; a person with two versions or countries on a day is in both rows. sessions begin on that day and lie in the row of their person''s first event of it. revenue_usd: USD alone, negatives included. avg_session_duration_sec: null without a session.';

create view hourly_metrics as
select
  project_id,
  hour,
  sum(active_users)::bigint as active_users,
  sum(sessions)::bigint as sessions,
  sum(events)::bigint as events,
  sum(revenue_usd) as revenue_usd,
  sum(lasted_sec) / nullif(sum(sessions), 0) as avg_session_duration_sec
from (
  select
    project_id,
    date_bin('1 hour', quarter, 'epoch') as hour,
    0 as active_users,
    0 as sessions,
    events,
    case when currency = 'USD' then revenue else 0 end as revenue_usd,
    0::float8 as lasted_sec
  from quarter_counts
  union all
  select project_id, hour, bit_count(bits), 0, 0, 0, 0
  from (
    select project_id, date_bin('1 hour', bucket, 'epoch') as hour, block, bit_or(bits) as bits
    from active_bits
    where grain = 'half_hour' and type = ''
    group by 1, 2, 3
  ) as present
  union all
  select project_id, date_bin('1 hour', started_at, 'epoch'), 0, 1, 0, 0, duration_sec
  from sessions
) as counted
group by project_id, hour;

comment on view hourly_metrics is
  'By hour of UTC, all app versions and countries together; otherwise as daily_metrics.';

create view cohort_daily_active_users as
select
  d.project_id,
  d.day,
  p.person as user_id,
  sum(d.active_events)::bigint as event_count
from person_days d
join persons p using (project_id, number)
where d.is_identified
  and d.active_events > 0
group by d.project_id, d.day, p.person;

comment on view cohort_daily_active_users is
  'Events of each user_id by UTC day, of the types in active_types alone. user_id is null for those who were erased and are still counted in a day that is frozen.';

create view revenue_by_day as
select
  project_id,
  day,
  country,
  currency,
  sum(revenue) as revenue
from person_days
where revenue is not null
group by project_id, day, country, currency;

comment on view revenue_by_day is
  'Revenue of all types by UTC day, country and currency, negatives included; currency is null where an event named none.';

create view users as
select
  seen.project_id,
  person,
  is_identified,
  case when is_identified then person else l.user_id end as user_id,
  first_seen,
  last_seen,
  events
from (
  select
    project_id,
    p.person,
    d.is_identified,
    min(d.first_at) as first_seen,
    max(d.last_at) as last_seen,
    sum(d.events)::bigint as events
  from person_days d
  join persons p using (project_id, number)
  where p.person is not null
  group by project_id, p.person, d.is_identified
) as seen
left join user_links l on l.project_id = seen.project_id and l.anonymous_id = seen.person and not is_identified;

comment on view users is
  'A row for each user_id (is_identified), and one for each anonymous_id that sent events without one: when it was first and last seen. user_id of the latter is who it was last identified as, null if nobody.';
