-- Rows present are what the ledger says was stored.
select what, counted, present
from (
  select
    'events ' || coalesce(l.project_id, e.project_id) as what,
    coalesce(l.stored, 0) as counted,
    coalesce(e.present, 0) as present
  from (select project_id, sum(stored)::bigint as stored from ledger group by project_id) l
  full join (select project_id, count(*) as present from events group by project_id) e
    on e.project_id = l.project_id
) compared
where counted <> present
