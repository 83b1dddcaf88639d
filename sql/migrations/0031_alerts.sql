-- Alerts: how each rule stands, every time one began or ended to fire, and what of that a webhook is to be told.
create table alert_states (
  rule text not null,
  kind text not null,
  severity text not null,
  summary text not null,
  state text not null,
  since timestamptz not null,
  turned_at timestamptz,
  number integer not null default 0,
  verdict text not null,
  value float8,
  detail text not null,
  memo jsonb,
  watched_since timestamptz not null,
  evaluated_at timestamptz not null,
  removed_at timestamptz,
  constraint alert_states_key primary key (rule),
  constraint alert_states_state check (state in ('ok', 'pending', 'firing', 'resolved')),
  constraint alert_states_verdict check (verdict in ('good', 'bad', 'unknown'))
);

comment on table alert_states is 'How each alert rule stands; whoever judges the rules writes it, one aggregator at a time.';
comment on column alert_states.turned_at is
  'Since when the verdict is not what the state says: bad while pending, good while still firing.';
comment on column alert_states.number is 'Of its last transition.';
comment on column alert_states.memo is 'What a judgement of this rule keeps for the next one.';
comment on column alert_states.watched_since is 'Since when the rule has been judged without a break.';
comment on column alert_states.removed_at is 'Since when no aggregator knows the rule any more.';

create table alert_events (
  id uuid not null,
  rule text not null,
  number integer not null,
  state text not null,
  at timestamptz not null,
  value float8,
  detail text not null,
  body jsonb not null,
  constraint alert_events_key primary key (id),
  constraint alert_events_number unique (rule, number),
  constraint alert_events_state check (state = case number % 2 when 1 then 'firing' else 'resolved' end)
);

create index alert_events_newest on alert_events (at desc, id);

comment on table alert_events is 'Each time a rule began to fire and each time it ended, once, in the transaction of its state.';

create table alert_deliveries (
  event_id uuid not null,
  rule text not null,
  number integer not null,
  attempts integer not null default 0,
  next_at timestamptz not null default now(),
  until timestamptz not null,
  outcome text,
  last_fault text,
  ended_at timestamptz,
  constraint alert_deliveries_key primary key (event_id),
  constraint alert_deliveries_number unique (rule, number),
  constraint alert_deliveries_outcome check (outcome in ('delivered', 'gone', 'given_up')),
  constraint alert_deliveries_ended check ((outcome is null) = (ended_at is null))
);

create index alert_deliveries_waiting on alert_deliveries (next_at) where outcome is null;

comment on table alert_deliveries is 'What the webhook is told of: a row an event, claimed for a while by whoever sends it.';
comment on column alert_deliveries.next_at is 'No sooner is it tried again; a claim moves it ahead, so that nobody else sends it meanwhile.';
comment on column alert_deliveries.until is 'Later it is given up.';
