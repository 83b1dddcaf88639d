-- Plain PostgreSQL: one partition a month, made by the writer when the first event of a month comes.
create table events (
  like event_columns including defaults,
  constraint events_key primary key (id, event_time)
) partition by range (event_time);

comment on table events is 'Every event once. event_time is the time inside id.';
