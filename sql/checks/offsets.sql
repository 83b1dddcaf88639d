-- Every record below a partition's position was written, noted as a further one, kept apart, folded, or
-- missed and said so; and nothing above it. What was read before a log became shorter counts once more.
select p.log_id, p.topic, p.partition, p.next_offset, coalesce(n.records, 0) as accounted, n.last_offset
from log_positions p
left join (
  select log_id, partition, sum(records)::bigint as records, max(last_offset) as last_offset
  from (
    select log_id, partition, count(*) as records, max(log_offset) as last_offset
    from ledger
    group by log_id, partition
    union all
    select log_id, partition, count(*), max(log_offset)
    from ledger_retransmissions
    group by log_id, partition
    union all
    select log_id, partition, count(*), max(log_offset)
    from quarantined_records
    group by log_id, partition
    union all
    select log_id, partition, records, last_offset
    from ledger_folded
    union all
    select log_id, partition, sum(to_offset - from_offset), max(to_offset) - 1
    from log_holes
    group by log_id, partition
    union all
    select log_id, partition, -sum(from_offset - to_offset), null
    from log_rewinds
    group by log_id, partition
  ) noted
  group by log_id, partition
) n on n.log_id = p.log_id and n.partition = p.partition
left join (
  select log_id, partition, max(from_offset) as highest
  from log_rewinds
  group by log_id, partition
) r on r.log_id = p.log_id and r.partition = p.partition
where p.next_offset <> coalesce(n.records, 0)
  or n.last_offset >= greatest(p.next_offset, r.highest)
