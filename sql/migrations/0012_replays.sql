-- Stores that are made anew from a log, and rows that were put back into one.
create table replays (
  replay_id bigint generated always as identity,
  way text not null,
  source text not null,
  log_id text not null,
  started_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint replays_key primary key (replay_id),
  constraint replays_way check (way in ('rebuild', 'restore', 'copy'))
);

comment on table replays is 'What was replayed into this store. A store without one is nobody''s to rebuild.';

create table row_restorations (
  replay_id bigint not null,
  project_id text not null,
  restored bigint not null,
  restored_at timestamptz not null default now()
);

comment on table row_restorations is 'Rows put back from the log: rows present = stored + restored - removed.';
