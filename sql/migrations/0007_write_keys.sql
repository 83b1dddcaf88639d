-- Write keys by the SHA-256 of their text; the text itself is shown once and kept nowhere.
create table write_keys (
  key_hash text not null,
  project_id text not null,
  rights text[] not null default '{}',
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  constraint write_keys_key primary key (key_hash),
  constraint write_keys_hash_form check (key_hash ~ '^[0-9a-f]{64}$')
);

comment on table write_keys is 'Who may send events for which project.';
