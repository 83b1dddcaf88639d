-- An event's time is the one inside its id: only so is the unique key (id, event_time) exact.
select id, event_time
from events
where floor(extract(epoch from event_time) * 1000)
  <> (('x' || lpad(translate(left(id::text, 13), '-', ''), 16, '0'))::bit(64)::bigint)
