-- Types that say a person was there; `cohort_daily_active_users` counts their events. A table, so that whoever
-- runs the store decides: a change has the days counted anew.
create table active_types (
  type text not null,
  constraint active_types_key primary key (type)
);

comment on table active_types is 'Event types that cohort_daily_active_users counts; insert and delete as you like.';

insert into active_types (type) values ('page_view'), ('session_start'), ('signup'), ('purchase');

-- What each person did on each UTC day, by app version, country and the currency of money. Events of nobody are
-- in it with no number.
create table person_days (
  day date not null,
  project_id text not null,
  is_identified boolean not null,
  number integer,
  app_version text,
  country text,
  currency text,
  events bigint not null,
  active_events bigint not null,
  revenue numeric,
  first_at timestamptz not null,
  last_at timestamptz not null,
  constraint person_days_key unique nulls not distinct
    (day, project_id, is_identified, number, app_version, country, currency)
) with (fillfactor = 80);

create index person_days_person on person_days (project_id, number);

comment on table person_days is 'What people did by UTC day, app version, country and currency.';
comment on column person_days.number is 'The person, as in persons; null for events of nobody.';
comment on column person_days.currency is 'Of the revenue; null where there is none, or where it came without one.';
comment on column person_days.active_events is 'Events of the types in active_types.';
comment on column person_days.revenue is 'null where no event brought or took any.';

-- Whoever folds is waited for, and waits: no event is counted by the types of before and not read anew. Figures of
-- days of which events have expired are frozen, for they could not be read anew.
create function active_types_changed() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(tg_table_schema || '.models', 0));
  execute format(
    'insert into %1$I.stale_days (project_id, day)
    select distinct project_id, day
    from %1$I.person_days d
    where not exists (
      select 1 from %1$I.row_removals r
      where r.project_id = d.project_id and r.day = d.day and r.reason = ''expired''
    )
    on conflict (project_id, day) do nothing',
    tg_table_schema
  );
  return null;
end
$$;

create trigger active_types_changed after insert or update or delete or truncate on active_types
  for each statement execute function active_types_changed();
