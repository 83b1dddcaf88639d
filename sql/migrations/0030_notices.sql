-- What is to be told outside: put here in the transaction that it tells of, and published from here in the
-- order of its numbers. The id is the same in every copy that a crash may make of a notice.
create table notices (
  number bigint generated always as identity,
  id uuid not null default gen_random_uuid(),
  topic text not null,
  key text not null,
  body jsonb not null,
  made_at timestamptz not null default now(),
  published_at timestamptz,
  constraint notices_key primary key (number),
  constraint notices_id unique (id),
  constraint notices_topic check (topic in ('metrics', 'alerts'))
);

create index notices_waiting on notices (topic, number) where published_at is null;

comment on table notices is 'Closed figures and alerts for weir.metrics and weir.alerts; removed some days after.';
comment on column notices.published_at is 'When the log had it; null where it waits, and always where the log is a file.';

-- UTC days whose figures a fold may have changed. The fold only puts a row here where there is none, so that it
-- never waits for whoever looks at the figures of a day.
create table touched_days (
  project_id text not null,
  day date not null,
  constraint touched_days_key primary key (project_id, day)
);

comment on table touched_days is 'UTC days whose figures may have changed since they were told.';

-- What was told of each day, so that closed figures are told once, and again where they have changed.
create table told_days (
  project_id text not null,
  day date not null,
  is_touched boolean not null,
  told_until timestamptz not null,
  look_after timestamptz not null,
  corrections integer not null default 0,
  constraint told_days_key primary key (project_id, day)
);

comment on table told_days is 'UTC days whose figures are told: how far, and when they are looked at again.';
comment on column told_days.corrections is 'How many looks in a row have found another figure; the more, the longer the pause.';

create table told_figures (
  project_id text not null,
  period text not null,
  starts_at timestamptz not null,
  revision integer not null,
  checksum bytea not null,
  told_at timestamptz not null default now(),
  constraint told_figures_key primary key (project_id, period, starts_at),
  constraint told_figures_period check (period in ('hour', 'day'))
);

comment on table told_figures is 'Closed hours and days as they were told last.';

create function days_touched() returns trigger language plpgsql as $$
begin
  execute format(
    'insert into %I.touched_days (project_id, day)
    select distinct project_id, day from gone
    on conflict (project_id, day) do nothing',
    tg_table_schema
  );
  return null;
end
$$;

create trigger days_touched after delete on fresh_events
  referencing old table as gone
  for each statement execute function days_touched();

create trigger days_touched after delete on stale_days
  referencing old table as gone
  for each statement execute function days_touched();

-- Of what is stored already, the days that are still told.
insert into touched_days (project_id, day)
select distinct project_id, day
from person_days
where day >= (now() at time zone 'UTC')::date - 35;
