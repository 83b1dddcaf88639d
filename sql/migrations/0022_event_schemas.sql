-- What a project has said of its event types. The payload's schema may be amended; how a type's events are
-- told apart may not, since every id made so far would be another one.
create table event_schemas (
  project_id text not null,
  type text not null,
  version integer not null,
  payload jsonb not null,
  identity jsonb,
  declared_at timestamptz not null default now(),
  amended_at timestamptz,
  constraint event_schemas_key primary key (project_id, type, version),
  constraint event_schemas_version check (version >= 1)
);

create function keep_event_identity() returns trigger
language plpgsql as $$
begin
  if new.identity is distinct from old.identity then
    raise exception 'the identity of % version % is fixed', old.type, old.version
      using errcode = 'check_violation', constraint = 'event_schemas_identity';
  end if;
  return new;
end
$$;

create trigger event_schemas_identity
before update on event_schemas
for each row execute function keep_event_identity();

comment on table event_schemas is 'Governed event types: the payload each version may have.';
