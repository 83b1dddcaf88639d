-- Up to where batches are folded: of an older one nobody can tell any more whether it was counted.
create table ledger_horizon (
  one boolean not null default true,
  folded_before timestamptz not null,
  constraint ledger_horizon_key primary key (one),
  constraint ledger_horizon_one check (one)
);

comment on table ledger_horizon is
  'Batches received before this may be known as part of their hour alone. It only moves forward.';

-- What a person has looked into and lives with: it stays counted, and is no fault to reconcile any more.
create table ledger_acknowledgements (
  entry text not null,
  records bigint not null,
  actor text not null,
  note text not null,
  acknowledged_at timestamptz not null default now(),
  constraint ledger_acknowledgements_key primary key (entry)
);

comment on table ledger_acknowledgements is
  'By the entry that reconcile names: a hole, a log cut short or made anew, a collector whose records are missed.';
comment on column ledger_acknowledgements.records is
  'How many records it meant then; an entry that means more since is open again.';
