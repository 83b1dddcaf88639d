-- What is marked as retried was received anew: the ledger has its batch, or had it before that was folded.
select quarantine_id, retry_batch_id
from quarantine q
where status = 'retried'
  and retried_at > now() - interval '7 days'
  and not exists (select from ledger l where l.batch_id = q.retry_batch_id)
