-- Who was active when, a bit for each person: bit n of block b stands for the person of number 8192 b + n.
-- By UTC day for each type and for all of them (an empty type); by half hour, which the days of nearly every
-- time zone are made of, for all types alone.
create table active_bits (
  project_id text not null,
  grain text not null,
  type text not null,
  is_identified boolean not null,
  bucket timestamptz not null,
  block integer not null,
  bits bit(8192) not null,
  constraint active_bits_key primary key (project_id, grain, type, is_identified, bucket, block),
  constraint active_bits_grain check (grain in ('day', 'half_hour'))
);

comment on table active_bits is 'Sets of people by UTC day and type, and by half hour.';
