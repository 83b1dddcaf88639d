-- Tokens of the API by the SHA-256 of their text; the text itself is shown once and kept nowhere.
create table api_tokens (
  token_hash text not null,
  name text not null,
  role text not null,
  project_id text,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint api_tokens_key primary key (token_hash),
  constraint api_tokens_hash_form check (token_hash ~ '^[0-9a-f]{64}$'),
  constraint api_tokens_role check (role in ('viewer', 'analyst', 'admin'))
);

create unique index api_tokens_by_name on api_tokens (name) where revoked_at is null;

comment on table api_tokens is 'Who may ask the API and the dashboard, and what.';
comment on column api_tokens.project_id is 'The one project that is answered for; null is all of them.';
comment on column api_tokens.expires_at is 'From when on the token is none any more; null is never.';
comment on column api_tokens.last_used_at is 'When it was used last, as of a minute or so.';
