-- Client ids that are stored under more than one of our ids: a client gave a retried event another time.
select project_id, event_id, count(*) as copies, min(event_time) as first_time, max(event_time) as last_time
from events
where identity = 'event_id'
group by project_id, event_id
having count(*) > 1
