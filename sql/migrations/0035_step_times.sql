-- When each person did what, by UTC day and type in parts of many people, so that few rows are written and read.
-- A moment is the person's number shifted by 27 bits, plus the milliseconds of the day; sorted, a part has its
-- people one after the other. What comes later is another part; many small ones are joined again.
alter table step_times rename to step_times_before;
alter index step_times_key rename to step_times_before_key;

create table step_times (
  type text not null,
  day date not null,
  project_id text not null,
  is_identified boolean not null,
  part bigint generated always as identity,
  events integer not null,
  firsts bigint[] not null,
  others bigint[] not null,
  constraint step_times_key primary key (type, day, project_id, is_identified, part)
);

create index step_times_day on step_times (day, project_id);

-- Numbers pack badly, and are read all the time.
alter table step_times alter column firsts set storage external;
alter table step_times alter column others set storage external;

comment on table step_times is 'Sorted moments of people''s events by UTC day and type.';
comment on column step_times.firsts is 'The first moment of each person in what was put in at once; every person of the day is in one of them.';
comment on column step_times.others is 'All other moments.';

-- Moved, not read anew: events of some days may have expired, and these times are all there is of them.
insert into step_times (type, day, project_id, is_identified, events, firsts, others)
select type, day, project_id, is_identified, count(*),
  coalesce(array_agg(moment order by moment) filter (where is_first), '{}'),
  coalesce(array_agg(moment order by moment) filter (where not is_first), '{}')
from (
  select *, moment >> 27 is distinct from lag(moment >> 27) over own as is_first,
    (row_number() over own - 1) / 16384 as place
  from (
    select type, (at at time zone 'UTC')::date as day, project_id, is_identified,
      number::bigint << 27 | (date_part('epoch', at) * 1000)::bigint % 86400000 as moment
    from step_times_before
    cross join unnest(times) as at
  ) as moved
  window own as (partition by type, day, project_id, is_identified order by moment)
) as placed
group by type, day, project_id, is_identified, place;

drop table step_times_before;
