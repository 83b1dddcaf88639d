-- What may not come in any more, however late a copy of it arrives.
create table retained_from (
  project_id text not null,
  type text not null default '',
  retained_from timestamptz not null,
  moved_at timestamptz not null default now(),
  constraint retained_from_key primary key (project_id, type)
);

comment on table retained_from is
  'Events of a type (or of all: an empty one) before this event time are expired. It only moves forward.';

create table erasures (
  project_id text not null,
  subject_hash bytea not null,
  kind text not null,
  erased_until timestamptz not null,
  requested_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint erasures_key primary key (project_id, subject_hash),
  constraint erasures_kind check (kind in ('user_id', 'anonymous_id'))
);

comment on table erasures is
  'Subjects whose events up to an event time are erased. A subject is a hash: who it was is erased too.';

create table row_removals (
  project_id text not null,
  day date not null,
  reason text not null,
  removed bigint not null,
  removed_at timestamptz not null default now(),
  constraint row_removals_reason check (reason in ('expired', 'erased', 'missing'))
);

comment on table row_removals is
  'Stored rows that are gone: rows present = stored + restored - removed. Missing: found so, and put back.';

alter table moved_events add column removed_at timestamptz;

comment on column moved_events.removed_at is 'When its row was expired or erased; its copies stay out.';
