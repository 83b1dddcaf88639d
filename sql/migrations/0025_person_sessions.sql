-- Sessions of people, cut at UTC midnights: a piece of a session lies within one day, so that a day is
-- forgotten and read anew without its neighbours. A piece that begins no more than a gap behind the end of
-- another of the same person continues it; questions join them. Events with a user_id and those with an
-- anonymous_id alone have sessions of their own.
create table person_sessions (
  day date not null,
  project_id text not null,
  is_identified boolean not null,
  number integer not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  events integer not null,
  constraint person_sessions_key primary key (day, project_id, is_identified, number, started_at)
);

comment on table person_sessions is 'Sessions by a gap of 30 minutes, cut at UTC midnights.';
comment on column person_sessions.number is 'The person, as in persons.';
