-- The streams that clients number their events in, folded in the transaction of the rows. `seqs` holds
-- every number with an outcome, so copies and late ones change nothing twice, and the gaps are what it lacks.
create table streams (
  project_id text not null,
  stream_id text not null,
  seqs int8multirange not null,
  given_up bigint not null default 0,
  declared_lost bigint not null default 0,
  clock_offset_ms bigint,
  first_time timestamptz not null,
  last_time timestamptz not null,
  last_id uuid,
  app_version text,
  country text,
  browser text,
  device text,
  constraint streams_key primary key (project_id, stream_id)
);

comment on table streams is 'Every numbered stream of a client: which numbers came, and what its newest stored event said.';
comment on column streams.given_up is
  'Numbers missing in gaps that were closed because a row holds only so many; they stay missing whatever comes.';
comment on column streams.declared_lost is 'Numbers the client says it gave up itself, as many as it ever said.';

-- Numbers begin with 1, or with 0 where 0 was ever seen. seen + missing = expected, and of what is missing
-- the client's own losses are no gap. Most streams are one range, whose numbers need no counting.
create view stream_counts as
select
  s.project_id,
  s.stream_id,
  s.first_time,
  s.last_time,
  s.app_version,
  s.country,
  s.browser,
  s.device,
  s.clock_offset_ms,
  lower(s.seqs) as min_seq,
  upper(s.seqs) - 1 as max_seq,
  upper(s.seqs) - least(lower(s.seqs), 1) as expected,
  n.held - s.given_up as seen,
  s.declared_lost,
  s.given_up,
  greatest(upper(s.seqs) - least(lower(s.seqs), 1) - (n.held - s.given_up) - s.declared_lost, 0) as gap
from streams s
cross join lateral (
  select
    case
      when int8multirange(range_merge(s.seqs)) = s.seqs then upper(s.seqs) - lower(s.seqs)
      else (select sum(upper(r) - lower(r))::bigint from unnest(s.seqs) as r)
    end as held
  offset 0
) n;

comment on view stream_counts is 'gap = expected - seen - declared_lost, never below nought.';

-- What was stored before there were streams. A kind without a fingerprint says nothing of its copies'
-- numbers, so it numbers nothing.
insert into streams (
  project_id, stream_id, seqs, clock_offset_ms, first_time, last_time, last_id, app_version, country, browser,
  device
)
select distinct on (project_id, stream_id)
  project_id,
  stream_id,
  range_agg(int8range(seq, seq, '[]')) over whole,
  min(clock_offset_ms) over whole,
  min(event_time) over whole,
  max(event_time) over whole,
  id,
  app_version,
  country,
  context ->> 'browser',
  device
from events
where stream_id is not null and seq >= 0 and identity not in ('content', 'window')
window whole as (partition by project_id, stream_id)
order by project_id, stream_id, id desc;
