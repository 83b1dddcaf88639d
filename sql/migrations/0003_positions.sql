-- How far each partition of each log is written, and by whom.
create table log_positions (
  log_id text not null,
  topic text not null,
  partition integer not null,
  next_offset bigint not null default 0,
  epoch bigint not null default 0,
  owner_pid integer,
  owner_started_at timestamptz,
  updated_at timestamptz not null default now(),
  constraint log_positions_key primary key (log_id, topic, partition)
);

comment on table log_positions is 'Fence and position of the writer, compared and set in the transaction of the rows.';
