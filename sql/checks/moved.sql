-- Of an event whose time was moved one copy is stored, under the id noted for it: no other row carries
-- the same identity hash behind its time.
select m.id as noted, e.id as stored
from moved_events m
left join events e on substr(e.id::text, 15) = substr(m.id::text, 15)
where e.id is distinct from m.id and (e.id is not null or m.removed_at is null)
