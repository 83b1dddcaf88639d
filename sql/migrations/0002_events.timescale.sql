-- TimescaleDB, either edition: a hypertable by event_time, one chunk a day.
create table events (
  like event_columns including defaults,
  constraint events_key primary key (id, event_time)
);

select create_hypertable('events', by_range('event_time', interval '1 day'), create_default_indexes => false);

comment on table events is 'Every event once. event_time is the time inside id.';
