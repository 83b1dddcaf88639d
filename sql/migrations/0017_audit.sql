-- One list of what was done to what is kept: retries and discards, and now also what removes or replaces it.
alter table quarantine_actions rename to audit;
alter table audit rename column action_id to audit_id;
alter table audit rename constraint quarantine_actions_key to audit_key;
alter index quarantine_actions_by_event rename to audit_by_event;
alter index quarantine_actions_by_retry rename to audit_by_retry;
alter table audit drop constraint quarantine_actions_action;
alter table audit alter column identity_hash drop not null;
alter table audit alter column fingerprint drop not null;
alter table audit alter column project_id set default '';
alter table audit add column target text not null default '';

create index audit_by_target on audit (target, audit_id) where target <> '';

comment on table audit is 'Who did what with what is kept here, when and why. Nobody is named who was erased.';
comment on column audit.target is
  'What it was done to, where that is no quarantined event: a record kept whole, a subject''s hash, a bound, a schema.';

insert into audit (project_id, action, actor, target, acted_at)
select project_id, 'erase', '', kind || ' ' || encode(subject_hash, 'hex'), requested_at
from erasures
union all
select project_id, 'expire', '', case type when '' then 'all types' else type end || ' before ' || retained_from, moved_at
from retained_from;

-- A record kept whole leaves this table once it is written after all.
alter table quarantined_records add column record_id bigint generated always as identity;
alter table quarantined_records add column discarded_at timestamptz;

create unique index quarantined_records_by_number on quarantined_records (record_id);

comment on column quarantined_records.discarded_at is 'When somebody said that it is not wanted; it stays counted.';
