-- Events whose time was moved or made up: their id differs from copy to copy, their hash does not.
create table moved_events (
  identity_hash bytea not null,
  id uuid not null,
  constraint moved_events_key primary key (identity_hash)
);

comment on table moved_events is 'Finds the one stored copy of an event whose time was not the client''s.';
