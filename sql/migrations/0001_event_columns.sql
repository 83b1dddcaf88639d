-- The columns of an event, once. The events table of every flavour and the staging table are made like it.
create table event_columns (
  id uuid not null,
  event_time timestamptz not null,
  client_time timestamptz,
  received_at timestamptz not null,
  stored_at timestamptz not null default now(),
  fingerprint bigint not null,
  clock_offset_ms bigint,
  seq bigint,
  version integer not null,
  flags smallint not null,
  identity text not null,
  project_id text not null,
  type text not null,
  event_id text,
  aggregate_id text,
  user_id text,
  anonymous_id text,
  session_id text,
  stream_id text,
  country text,
  city text,
  device text,
  app_version text,
  revenue numeric,
  currency text,
  payload jsonb not null,
  context jsonb not null,
  metadata jsonb not null
);

comment on table event_columns is 'Shape of an event; holds no rows.';
