-- Streams whose events are all expired or erased, by a hash of their id: what their clients number from here
-- on is counted from there on, so that what was removed is no gap.
create table removed_streams (
  project_id text not null,
  stream_hash bytea not null,
  next_seq bigint not null,
  declared_lost bigint not null,
  constraint removed_streams_key primary key (project_id, stream_hash)
);

comment on table removed_streams is 'Where streams that were removed ended. Which they were is removed, too.';

alter table streams add column numbered_from bigint not null default 0;
alter table streams add column touched_at timestamptz;

create index streams_touched on streams (project_id, stream_id) where touched_at is not null;

comment on column streams.numbered_from is 'Numbers below it were removed with an earlier part of the stream, and are asked for no more.';
comment on column streams.touched_at is 'Since when some of its events are removed and its last words may be theirs.';

create or replace view stream_counts as
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
  lower(c.seqs) as min_seq,
  upper(c.seqs) - 1 as max_seq,
  n.expected,
  n.held - s.given_up as seen,
  s.declared_lost,
  s.given_up,
  greatest(n.expected - (n.held - s.given_up) - s.declared_lost, 0) as gap,
  greatest(least(lower(c.seqs), 1), s.numbered_from) as first_seq
from streams s
cross join lateral (
  select case
    when s.numbered_from = 0 then s.seqs
    else s.seqs * int8multirange(int8range(s.numbered_from, null))
  end as seqs
  offset 0
) c
cross join lateral (
  select
    coalesce(upper(c.seqs) - greatest(least(lower(c.seqs), 1), s.numbered_from), 0) as expected,
    case
      when isempty(c.seqs) then 0
      when int8multirange(range_merge(c.seqs)) = c.seqs then upper(c.seqs) - lower(c.seqs)
      else (select sum(upper(r) - lower(r))::bigint from unnest(c.seqs) as r)
    end as held
  offset 0
) n;

comment on view stream_counts is 'gap = expected - seen - declared_lost, never below nought.';
