-- Which days of which project have rows that no read model has seen. A writer raises its own row, so no
-- two writers meet; who folds a mark removes it only where its version is still the one it read.
create table marks (
  project_id text not null,
  day date not null,
  partition integer not null,
  version bigint not null default 1,
  constraint marks_key primary key (project_id, day, partition)
);

comment on table marks is 'Days touched by stored rows and not yet folded into the read models.';
