-- When each person did what: the times of a person's events of a type in a UTC month, sorted, equal ones as
-- often as they were. A step of a funnel is found in them by halving. Types lie apart, so that a question
-- about a few of them reads no others.
create table step_times (
  month date not null,
  project_id text not null,
  type text not null,
  is_identified boolean not null,
  number integer not null,
  times timestamptz[] not null,
  constraint step_times_key primary key (month, project_id, type, is_identified, number)
) partition by hash (type);

comment on table step_times is 'Sorted times of events by person, type and UTC month.';
comment on column step_times.number is 'The person, as in persons.';

-- Times hardly compress, and a row is written again with each of its events: up to a page it stays in place.
alter table step_times alter column times set storage external;

do $$
begin
  for part in 0..15 loop
    execute format(
      'create table step_times_%s partition of step_times for values with (modulus 16, remainder %s)
        with (fillfactor = 70, toast_tuple_target = 8160)',
      part, part
    );
  end loop;
end
$$;
