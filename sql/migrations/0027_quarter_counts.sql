-- Events and money by quarter hour: local days begin on one in every time zone since 1980, so that these rows
-- add up to the days, weeks and months of any of them.
create table quarter_counts (
  project_id text not null,
  quarter timestamptz not null,
  type text not null,
  is_identified boolean not null,
  currency text,
  events bigint not null,
  revenue numeric not null,
  revenue_events bigint not null,
  constraint quarter_counts_key unique nulls not distinct (project_id, quarter, type, is_identified, currency)
) with (fillfactor = 80);

create index quarter_counts_time on quarter_counts (quarter);

comment on table quarter_counts is 'Events and revenue by quarter hour (UTC), type and currency.';
comment on column quarter_counts.currency is 'Of the revenue; null where there is none, or where it came without one.';
comment on column quarter_counts.revenue_events is 'Events that brought or took revenue.';
