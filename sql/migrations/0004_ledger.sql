-- One row a batch, written with its rows: received = published + duplicate_claimed + refused, and
-- published = stored + duplicate_stored + conflict + unwritable + expired + erased.
create table ledger (
  batch_id uuid not null,
  project_id text not null,
  received_at timestamptz not null,
  log_id text not null,
  partition integer not null,
  log_offset bigint not null,
  collector text not null,
  collector_start bigint not null,
  collector_number bigint not null,
  collector_lowest_open bigint not null default 0,
  collector_given_up bigint[],
  received integer not null,
  published integer not null,
  duplicate_claimed integer not null,
  refused integer not null,
  refused_duplicate integer not null,
  stored integer not null,
  duplicate_stored integer not null,
  conflict integer not null,
  unwritable integer not null default 0,
  expired integer not null,
  erased integer not null,
  weak integer not null,
  digest bytea not null,
  traceparent text,
  stored_at timestamptz not null default now(),
  constraint ledger_key primary key (batch_id),
  constraint ledger_received_closes check (received = published + duplicate_claimed + refused),
  constraint ledger_published_closes check (
    published = stored + duplicate_stored + conflict + unwritable + expired + erased
  ),
  constraint ledger_refused_closes check (refused_duplicate between 0 and refused)
);

create index ledger_by_hour on ledger (project_id, received_at);
create index ledger_by_receipt on ledger (collector, collector_start, collector_number);

comment on table ledger is 'Every batch once, with the outcome of each of its events in numbers.';

-- The words of the equation, per batch: what the API, reconcile and the checks sum.
create view ledger_outcomes as
select
  batch_id,
  project_id,
  received_at,
  received,
  stored,
  duplicate_claimed + duplicate_stored + refused_duplicate as duplicate,
  conflict + unwritable + refused - refused_duplicate as quarantined,
  expired,
  erased,
  weak
from ledger;

comment on view ledger_outcomes is 'received = stored + duplicate + quarantined + expired + erased, per batch.';

create table ledger_retransmissions (
  log_id text not null,
  partition integer not null,
  log_offset bigint not null,
  batch_id uuid not null,
  collector text not null,
  collector_start bigint not null,
  collector_number bigint not null,
  collector_lowest_open bigint not null default 0,
  collector_given_up bigint[],
  noted_at timestamptz not null default now(),
  constraint ledger_retransmissions_key primary key (log_id, partition, log_offset)
);

comment on table ledger_retransmissions is 'Further records of a batch that the ledger already has: counted nowhere, noted here.';

create index ledger_retransmissions_by_receipt
  on ledger_retransmissions (collector, collector_start, collector_number);

create table log_holes (
  log_id text not null,
  topic text not null,
  partition integer not null,
  from_offset bigint not null,
  to_offset bigint not null,
  noted_at timestamptz not null default now(),
  constraint log_holes_key primary key (log_id, topic, partition, from_offset)
);

comment on table log_holes is 'Offsets the log no longer had when they were asked for, the last one not included.';
