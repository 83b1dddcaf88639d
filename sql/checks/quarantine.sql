-- Of what the ledger says was quarantined, every event is kept, or was kept until its time here was over.
select
  coalesce(l.project_id, k.project_id) as project_id,
  coalesce(l.quarantined, 0) as counted,
  coalesce(k.kept, 0) as kept
from (
  select project_id, sum(quarantined)::bigint as quarantined
  from ledger_counts
  group by project_id
) l
full join (
  select project_id, sum(kept)::bigint as kept
  from (
    select project_id, count(*) as kept from quarantine group by project_id
    union all
    select project_id, sum(expired) from quarantine_expired group by project_id
  ) each
  group by project_id
) k on k.project_id = l.project_id
where coalesce(l.quarantined, 0) <> coalesce(k.kept, 0)
