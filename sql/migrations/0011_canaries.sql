-- The newest canary of each edge: an empty batch that went the way of all batches, and so tells how old
-- the newest stored event could be.
create table canaries (
  edge text not null,
  sent_at timestamptz not null,
  stored_at timestamptz not null default now(),
  constraint canaries_key primary key (edge)
);

comment on table canaries is 'When each edge sent the newest canary that was stored, by its own clock, and when that was.';
