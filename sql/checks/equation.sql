-- Every batch closes, and every folded hour: received = stored + duplicate + quarantined + expired + erased.
select project_id, received_at, received, stored, duplicate, quarantined, expired, erased
from ledger_counts
where received <> stored + duplicate + quarantined + expired + erased
