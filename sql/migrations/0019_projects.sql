-- What a project asks of every edge; a project without a row asks for nothing but the defaults.
create table projects (
  project_id text not null,
  policy jsonb not null default '{}',
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  constraint projects_key primary key (project_id),
  constraint projects_policy_form check (jsonb_typeof(policy) = 'object')
);

comment on table projects is 'Who may send for a project, what is kept of a person, and what may not be kept at all.';

-- Projects from before there were policies keep believing what bodies say of their clients.
insert into projects (project_id, policy)
select distinct project_id, '{"takes_client_context": true}'::jsonb
from write_keys
order by project_id;

alter table write_keys add column expires_at timestamptz;
alter table write_keys add column alias text;

comment on column write_keys.expires_at is 'From when on the key is none any more; null is never.';
comment on column write_keys.alias is 'The public name that stands for a key: an app id, a website id or a domain.';
