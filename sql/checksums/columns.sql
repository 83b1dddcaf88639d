-- What a store and its replay have in common, by table: every column but those named here, which say when,
-- by whom or in which order a row was written down. Whatever column is added later is compared.
select
  c.relname as table_name,
  string_agg(quote_ident(a.attname), ', ' order by a.attname) as columns
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = current_schema()::regnamespace
  and c.relkind in ('r', 'p')
  and not c.relispartition
  and c.relname not in (
    'schema_migrations', 'event_columns', 'events_next', 'canaries', 'replays', 'row_restorations', 'row_removals',
    -- What is told outside, by whoever serves meanwhile.
    'notices', 'touched_days', 'told_days', 'told_figures',
    -- The read models: made of the events, whenever they are folded.
    'fresh_events', 'stale_days', 'persons', 'active_bits', 'person_days', 'quarter_counts', 'person_sessions', 'step_times',
    'lateness_counts'
  )
  and c.relname || '.' || a.attname not in (
    'api_tokens.last_used_at',
    'events.stored_at',
    'ledger.stored_at',
    'ledger_retransmissions.noted_at',
    'log_holes.noted_at',
    'log_positions.epoch',
    'log_positions.last_record',
    'log_positions.owner_pid',
    'log_positions.owner_started_at',
    'log_positions.updated_at',
    'quarantine.quarantine_id',
    'quarantine.quarantined_at',
    'quarantined_records.quarantined_at',
    'quarantined_records.record_id',
    'streams.touched_at'
  )
group by c.relname
order by c.relname
