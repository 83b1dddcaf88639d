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
