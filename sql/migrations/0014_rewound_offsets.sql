-- Behind a rewind the same offset may hold a further record of a batch, or one kept apart, once more.
alter table ledger_retransmissions drop constraint ledger_retransmissions_key;
alter table ledger_retransmissions add constraint ledger_retransmissions_key
  primary key (log_id, partition, log_offset, noted_at);

alter table quarantined_records drop constraint quarantined_records_key;
alter table quarantined_records add constraint quarantined_records_key
  primary key (log_id, partition, log_offset, quarantined_at);
