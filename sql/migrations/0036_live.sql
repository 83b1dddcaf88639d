-- What happened in the last hour, second by second: who was there by type, and how many events there were.
-- Only folds of such events write here, and take out what is older, so that it stays small.
create sequence live_marks;

create table live_seconds (
  project_id text not null,
  second timestamptz not null,
  type text not null,
  is_identified boolean not null,
  mark bigint not null,
  events integer not null,
  people integer[] not null,
  constraint live_seconds_key primary key (second, project_id, type, is_identified)
) with (fillfactor = 70);

create index live_seconds_mark on live_seconds (mark);

comment on table live_seconds is 'Events and people of the last hour by second and type.';
comment on column live_seconds.mark is 'The fold that wrote the row last; greater ones are later.';
comment on column live_seconds.people is 'Numbers as in persons; the same one may be in it more than once.';

-- The last folds, for whoever looks on: which events were new, and when what is known has to be read again.
create table live_folds (
  mark bigint not null,
  project_id text not null,
  folded_at timestamptz not null default now(),
  events integer not null,
  ids uuid[],
  constraint live_folds_key primary key (mark, project_id)
);

comment on table live_folds is 'Folds of the last minutes with events of the last hour.';
comment on column live_folds.ids is 'Some of the events; null where rows of live_seconds were taken away.';

-- The last hour is read for the first time, but not where that would lose what has expired.
insert into stale_days (project_id, day)
select distinct project_id, (event_time at time zone 'UTC')::date
from events
where event_time >= now() - interval '1 hour'
  and not exists (
    select 1 from row_removals r
    where r.project_id = events.project_id
      and r.day = (event_time at time zone 'UTC')::date
      and r.reason = 'expired'
  )
on conflict (project_id, day) do nothing;
