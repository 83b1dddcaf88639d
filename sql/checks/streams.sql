-- Every stored event that its client numbered is among the numbers of its stream.
select e.project_id, e.stream_id, e.seq, e.id
from events e
left join streams s on s.project_id = e.project_id and s.stream_id = e.stream_id
where e.stream_id is not null
  and e.seq >= 0
  and e.identity not in ('content', 'window')
  and (s.seqs @> e.seq) is not true
