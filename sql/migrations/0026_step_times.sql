-- When each person did what: the times of a person's events of a type in a UTC month, sorted, equal ones as
-- often as they were. A step of a funnel is found in them by halving. Whoever has many times has them in
-- several parts, of which only the last grows; what is late is sorted into that one too, so that parts of a
-- month may overlap.
create table step_times (
  month date not null,
  project_id text not null,
  type text not null,
  is_identified boolean not null,
  number integer not null,
  part integer not null,
  times timestamptz[] not null,
  constraint step_times_key primary key (month, project_id, type, is_identified, number, part)
) with (fillfactor = 70);

comment on table step_times is 'Sorted times of events by person, type and UTC month.';
comment on column step_times.number is 'The person, as in persons.';
