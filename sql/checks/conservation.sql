-- Rows present are what the ledger says was stored, and what was put back, without what was removed.
select what, counted, present
from (
  select
    'events ' || coalesce(l.project_id, e.project_id) as what,
    coalesce(l.counted, 0) as counted,
    coalesce(e.present, 0) as present
  from (
    select project_id, sum(counted)::bigint as counted
    from (
      select project_id, sum(stored)::bigint as counted from ledger_counts group by project_id
      union all
      select project_id, sum(restored) from row_restorations group by project_id
      union all
      select project_id, -sum(removed) from row_removals group by project_id
    ) each
    group by project_id
  ) l
  full join (select project_id, count(*) as present from events group by project_id) e
    on e.project_id = l.project_id
) compared
where counted <> present
