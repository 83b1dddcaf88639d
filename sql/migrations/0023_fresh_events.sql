-- What the read models have not seen yet. A transaction notes the ids of the events it stores; whoever folds
-- them removes the note in the same transaction, so that each event is folded once. A day of which rows were
-- removed is stale: the models forget it and read it anew.
create table fresh_events (
  mark bigint generated always as identity,
  project_id text not null,
  day date not null,
  ids uuid[] not null,
  marked_at timestamptz not null default now(),
  constraint fresh_events_key primary key (mark)
);

create index fresh_events_newest on fresh_events (day desc, mark);

comment on table fresh_events is 'Ids of stored events that are not yet in the read models, by UTC day.';

create table stale_days (
  project_id text not null,
  day date not null,
  marked_at timestamptz not null default now(),
  constraint stale_days_key primary key (project_id, day)
);

comment on table stale_days is 'UTC days the read models are to read anew.';

-- Everything stored so far is read by the models for the first time.
insert into stale_days (project_id, day) select distinct project_id, day from marks;

drop table marks;

-- A person of a project by a small number, so that a set of people is a row of bits.
create table persons (
  project_id text not null,
  number integer not null,
  person text,
  constraint persons_key primary key (project_id, number),
  constraint persons_person unique (project_id, person)
);

comment on table persons is 'Numbers of people: of a user_id, or of an anonymous_id where there is none.';
comment on column persons.person is 'null once they are erased.';
