-- What happened by hour and by everything an event says of where it came from, for questions of one's own. A view of
-- the events; where the server keeps continuous aggregates it becomes one, with the same name, columns and rows.
create view hourly_dimensions as
select
  project_id,
  date_bin('1 hour', event_time, 'epoch') as hour,
  type,
  country,
  city,
  device,
  app_version,
  currency,
  count(*) as events,
  sum(revenue) as revenue
from events
group by 1, 2, 3, 4, 5, 6, 7, 8;

comment on view hourly_dimensions is
  'Events and revenue by hour of UTC, type, country, city, device, app version and currency.';
