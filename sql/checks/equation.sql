-- Every batch closes: received = stored + duplicate + quarantined + expired + erased.
select batch_id, received, stored, duplicate, quarantined, expired, erased
from ledger_outcomes
where received <> stored + duplicate + quarantined + expired + erased
