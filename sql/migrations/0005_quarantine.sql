-- What was refused or could not be stored, kept whole. A copy of a kept one is a duplicate.
create table quarantine (
  quarantine_id bigint generated always as identity,
  batch_id uuid not null,
  index integer not null,
  project_id text not null,
  identity_hash bytea not null,
  fingerprint bigint not null,
  station text not null,
  version integer not null,
  reason text not null,
  pointer text not null,
  detail text not null,
  original bytea not null,
  received_at timestamptz not null,
  quarantined_at timestamptz not null default now(),
  constraint quarantine_key primary key (quarantine_id),
  constraint quarantine_once unique (identity_hash, fingerprint)
);

create index quarantine_by_place on quarantine (batch_id, index);

comment on table quarantine is 'Refused events with their reason and original bytes.';

create table quarantined_records (
  log_id text not null,
  partition integer not null,
  log_offset bigint not null,
  reason text not null,
  detail text not null,
  original bytea not null,
  collector text,
  collector_start bigint,
  collector_number bigint,
  quarantined_at timestamptz not null default now(),
  constraint quarantined_records_key primary key (log_id, partition, log_offset)
);

comment on table quarantined_records is 'Whole records that could not be read, or that used the id of another batch.';
