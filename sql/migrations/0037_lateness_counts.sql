-- How late events came: how many of each UTC day reached an edge in each quarter hour, by how long after they
-- happened. By day too, so that a day is forgotten and read anew without the others that came with it.
create table lateness_counts (
  project_id text not null,
  day date not null,
  quarter timestamptz not null,
  class smallint not null,
  events bigint not null,
  max_lateness interval not null,
  constraint lateness_counts_key primary key (project_id, day, quarter, class)
) with (fillfactor = 80);

create index lateness_counts_time on lateness_counts (quarter);

comment on table lateness_counts is 'Events by UTC day, by the quarter hour in which an edge received them, and by how late that was.';
comment on column lateness_counts.class is
  '-1: sent as historical; 0: ahead of the edge''s clock; 1 to 7: at most 1 min, 5 min, 15 min, 1 h, 6 h, 1 d, 7 d late; 8: later.';

-- Everything stored so far is read for the first time, but for days of which events have expired: what other
-- models say of those could not be made again.
insert into stale_days (project_id, day)
select distinct project_id, day
from person_days d
where not exists (
  select 1 from row_removals r where r.project_id = d.project_id and r.day = d.day and r.reason = 'expired'
)
on conflict (project_id, day) do nothing;
