// One step of the read models: what was stored since is folded into all of them, or a day is read anew.
import type { Sql, TransactionSql } from "postgres";
import { dayStatementMs } from "../../shared/limits.ts";
import { makeFresh, takeDay, takeFresh } from "./fresh-rows.ts";
import type { Model, StaleDay } from "./model.ts";

/** Events of one step: some hundred ms, and some MiB of what PostgreSQL holds for it. */
const idsMaxDefault = 20_000;

/** What a step did; `busy` where another aggregator is at it. */
export type Folded = { events: number; days: number } | "busy";

/** Whether this transaction is the one that folds: until its end, nobody else is. */
export const isLeader = async (tx: TransactionSql): Promise<boolean> => {
  const [row] = await tx<[{ ours: boolean }]>`
    select pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.models', 0)) as ours`;
  return row.ours;
};

/**
 * Folds some of the fresh events; where there are none, one stale day. A day is read in one snapshot: what
 * is stored later is noted later, so no event is folded twice or not at all.
 */
export async function foldStep(
  session: Sql,
  models: readonly Model[],
  idsMax = idsMaxDefault,
): Promise<Folded> {
  const events = await session.begin(async (tx) => {
    if (!(await isLeader(tx))) return -1;
    await makeFresh(tx);
    const taken = await takeFresh(tx, idsMax);
    if (taken > 0) for (const model of models) await model.fold(tx);
    return taken;
  });
  if (events === -1) return "busy";
  if (events > 0) return { events, days: 0 };
  return await session.begin("isolation level repeatable read", async (tx) => {
    if (!(await isLeader(tx))) return "busy";
    const [stale] = await tx<{ project_id: string; day: string }[]>`
      delete from stale_days
      where (project_id, day) = (select project_id, day from stale_days order by day desc, project_id limit 1)
      returning project_id, day::text`;
    if (stale === undefined) return { events: 0, days: 0 };
    await readAnew(tx, models, dayOf(stale.project_id, stale.day));
    return { events: 0, days: 1 };
  });
}

/** Makes a day's figures of its events again, in a snapshot of the leader's. */
export async function readAnew(tx: TransactionSql, models: readonly Model[], day: StaleDay): Promise<void> {
  // A day may have more events than a write's statement has time for; failing, it would be tried for ever.
  await tx`select set_config('statement_timeout', ${String(dayStatementMs)}, true)`;
  await makeFresh(tx);
  for (const model of models) await model.clear(tx, day);
  await takeDay(tx, day);
  for (const model of models) await model.fold(tx);
  // Figures may have changed of which no note told: what was told of the day is looked at again.
  await tx`
    insert into touched_days (project_id, day) values (${day.project}, ${day.day})
    on conflict (project_id, day) do nothing`;
}

export function dayOf(project: string, day: string): StaleDay {
  const from = new Date(`${day}T00:00:00Z`);
  return { project, day, from, to: new Date(from.getTime() + 86_400_000) };
}
