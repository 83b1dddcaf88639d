-- What a quarantined event needs to be received anew, and what people did with it.
alter table quarantine
  add column weir_version text not null default '',
  add column event_key uuid,
  add column flags smallint not null default 0,
  add column dialect text not null default 'native',
  add column identity_asked text,
  add column sent_at timestamptz,
  add column status text not null default 'open',
  add column attempts integer not null default 0,
  add column next_retry_at timestamptz,
  add column is_scheduled boolean not null default false,
  add column retry_batch_id uuid,
  add column retry_index integer,
  add column retry_as_new boolean not null default false,
  add column retried_at timestamptz,
  add column retry_key uuid,
  add column retry_hash bytea,
  add column retry_fingerprint bigint,
  add column retry_refusal text,
  add constraint quarantine_station check (station in ('edge', 'collector', 'aggregator')),
  add constraint quarantine_status check (status in ('open', 'retrying', 'sent', 'retried', 'discarded')),
  add constraint quarantine_retry_has_place check (
    status in ('open', 'discarded') or (retry_batch_id is not null and retry_index is not null)
  );

comment on column quarantine.version is 'Version of the batch''s format.';
comment on column quarantine.weir_version is 'Version of Weir that refused it; empty where it did not say.';
comment on column quarantine.status is
  'open; retrying: a batch is named for it; sent: the log has that batch; retried: the ledger has it; discarded.';

create index quarantine_by_retry on quarantine (retry_batch_id, retry_index)
  where status in ('retrying', 'sent');
create index quarantine_by_reason on quarantine (status, reason, quarantine_id);
create index quarantine_by_schedule on quarantine (reason, quarantine_id) where status = 'open' and not is_scheduled;
create index quarantine_by_due on quarantine (next_retry_at) where status = 'open' and next_retry_at is not null;
create index quarantine_by_age on quarantine (received_at);

create table quarantine_actions (
  action_id bigint generated always as identity,
  identity_hash bytea not null,
  fingerprint bigint not null,
  project_id text not null,
  action text not null,
  actor text not null,
  why text not null default '',
  outcome text not null default '',
  retry_batch_id uuid,
  retry_index integer,
  acted_at timestamptz not null default now(),
  constraint quarantine_actions_key primary key (action_id),
  constraint quarantine_actions_action check (action in ('retry', 'refused_again', 'retried', 'discard'))
);

create index quarantine_actions_by_event on quarantine_actions (identity_hash, fingerprint, action_id);

create index quarantine_actions_by_retry on quarantine_actions (retry_batch_id, retry_index);

comment on table quarantine_actions is 'Who did what with a quarantined event, when and why.';

create table quarantine_expired (
  project_id text not null,
  day date not null,
  reason text not null,
  expired bigint not null,
  constraint quarantine_expired_key primary key (project_id, day, reason)
);

comment on table quarantine_expired is
  'Quarantined events whose time here was over, by the day they were received: counted, and no longer kept.';
