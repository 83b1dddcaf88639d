-- Who an anonymous visitor turned out to be: the last `identify` or `alias` that names both ids. A view, so
-- that late, erased and replayed events need no repair; those events are few, and the index holds no others.
create index events_links on events (project_id, anonymous_id, id)
  where type in ('identify', 'alias') and user_id is not null and anonymous_id is not null;

create view user_links as
select distinct on (project_id, anonymous_id)
  project_id,
  anonymous_id,
  user_id,
  event_time as linked_at
from events
where type in ('identify', 'alias')
  and user_id is not null
  and anonymous_id is not null
order by project_id, anonymous_id, id desc;

comment on view user_links is 'Anonymous ids and the user each was last identified as.';
