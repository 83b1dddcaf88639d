-- A log that was cut off and has grown again holds other records below the position: the last one read tells.
alter table log_positions add column last_record text;

comment on column log_positions.last_record is
  'The mark of the record before next_offset, as it was read; null where none was.';
