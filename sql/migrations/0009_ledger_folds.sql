-- What of the ledger stays when its rows are folded, and what the log was found to lack.
alter table ledger add column collector_spool smallint not null default 0;

comment on column ledger.collector_spool is '0: this run of the collector has no spool. 1: it has one. 2: that was empty at its end.';

-- Rows come in the order of their times: a few bytes a block find the old ones, and cost a write nothing.
create index ledger_by_age on ledger using brin (stored_at) with (pages_per_range = 32);

create table ledger_hours (
  project_id text not null,
  hour timestamptz not null,
  log_id text not null,
  batches bigint not null,
  received bigint not null,
  stored bigint not null,
  duplicate bigint not null,
  quarantined bigint not null,
  expired bigint not null,
  erased bigint not null,
  weak bigint not null,
  newest_stored_at timestamptz,
  constraint ledger_hours_key primary key (project_id, hour, log_id),
  constraint ledger_hours_closes check (received = stored + duplicate + quarantined + expired + erased)
);

comment on table ledger_hours is 'Old batches of the ledger, added up by the hour they were received in: their ids are forgotten.';

create table ledger_folded (
  log_id text not null,
  partition integer not null,
  records bigint not null,
  last_offset bigint not null,
  constraint ledger_folded_key primary key (log_id, partition)
);

comment on table ledger_folded is 'Records of each partition that ledger_hours counts, further ones of their batches included.';

create table collector_runs (
  collector text not null,
  collector_start bigint not null,
  collector_spool smallint not null,
  lowest_open bigint not null,
  numbers int8multirange not null,
  heard_at timestamptz not null,
  constraint collector_runs_key primary key (collector, collector_start)
);

comment on table collector_runs is 'What the receipts of folded records said: numbers seen or given up, and the lowest one called open.';

-- What is summed, folded or not. A folded batch was received at the beginning of its hour.
create view ledger_counts as
select project_id, received_at, received, stored, duplicate, quarantined, expired, erased, weak
from ledger_outcomes
union all
select project_id, hour, received, stored, duplicate, quarantined, expired, erased, weak
from ledger_hours;

comment on view ledger_counts is 'received = stored + duplicate + quarantined + expired + erased, per batch or per folded hour.';

create table log_rewinds (
  log_id text not null,
  topic text not null,
  partition integer not null,
  from_offset bigint not null,
  to_offset bigint not null,
  noted_at timestamptz not null default now()
);

comment on table log_rewinds is 'Times a log ended before what was read of it: the position went back from one offset to the other.';

-- Behind a rewind the same offset may be missed once more.
alter table log_holes drop constraint log_holes_key;
alter table log_holes add constraint log_holes_key
  primary key (log_id, topic, partition, from_offset, noted_at);

create table log_replacements (
  topic text not null,
  log_id text not null,
  replaced_by text not null,
  noted_at timestamptz not null default now(),
  constraint log_replacements_key primary key (log_id, replaced_by)
);

comment on table log_replacements is 'Logs that were made anew under the same name; what the old one held beyond the position nobody knows.';
