-- Whose moments a part has, so that a funnel passes over the parts of people who wait for nothing in them.
-- The first of a part may stand with the others: of somebody whose first moment is the last of the part before.
alter table step_times
  add column lowest integer not null generated always as ((least(firsts[1], others[1]) >> 27)::integer) stored,
  add column highest integer not null generated always as
    ((greatest(firsts[cardinality(firsts)], others[cardinality(others)]) >> 27)::integer) stored;

comment on column step_times.lowest is 'The least number of a person in the part.';
comment on column step_times.highest is 'The greatest number of a person in the part.';
