-- Single events for any SQL client: these columns stay, whatever is added to the table. Nothing but columns stands
-- here, so that a condition reaches the partitions or chunks, and what is removed is gone from it at once.
create view raw_events as
select
  project_id,
  event_id,
  type,
  version,
  event_time,
  client_time,
  received_at,
  user_id,
  anonymous_id,
  session_id,
  country,
  city,
  device,
  app_version,
  revenue,
  currency,
  payload,
  context
from events;

comment on view raw_events is
  'A row for each event, as it was stored. With a condition on event_time a select reads the partitions or chunks of that time alone.';
comment on column raw_events.event_id is 'The client''s own id of the event; null where it sent none.';
comment on column raw_events.version is 'Version of the type; 1 where the client sent none.';
comment on column raw_events.event_time is
  'When it happened, as every figure counts it: client_time, moved where the client''s clock was wrong; the beginning of the window where equal events within one are the same; when it was received where the client told no time.';
comment on column raw_events.client_time is 'What the client''s clock said; null where it sent no time.';
comment on column raw_events.received_at is 'When an edge received it, by the edge''s clock.';
comment on column raw_events.user_id is
  'As sent, or a pseudonym where the project keeps those. Who an anonymous_id turned out to be stands in users.';
comment on column raw_events.country is 'Of the context, else as the edge saw the sender; city and device likewise.';
comment on column raw_events.revenue is
  'Of the payload, in currency and unconverted; less than 0 where money was given back.';
comment on column raw_events.currency is 'Three capital letters, of the payload or else of the context.';
comment on column raw_events.payload is
  'What was sent and the project''s policy left; {} where that is nothing.';
comment on column raw_events.context is
  'Likewise, and beside it what the request said itself: request_id, trace_id, what is known of its client.';
