// Marks the days that stored rows touch, for whoever folds them into the read models.
import type { TransactionSql } from "postgres";
import type { Plan } from "./plan.ts";

/** For whoever holds no partition, so that no writer's mark is touched. */
export const noPartition = -1;

const dayMs = 24 * 60 * 60_000;

/**
 * Raises the mark of every project and UTC day with stored rows, in key order. `writer` is a partition
 * this transaction holds: no other writer raises its marks, so none waits for another here.
 */
export async function markDays(tx: TransactionSql, plan: Plan, writer: number): Promise<void> {
  const days = new Map<string, { project_id: string; day: string }>();
  let [lastDay, lastProject] = [-1, ""];
  for (const one of plan.kept) {
    if (one.fate !== "stored") continue;
    const day = Math.floor(one.time / dayMs);
    const { project } = one.decoded.record.batch;
    if (day === lastDay && project === lastProject) continue;
    [lastDay, lastProject] = [day, project];
    days.set(`${day}/${project}`, { project_id: project, day: new Date(day * dayMs).toISOString() });
  }
  if (days.size === 0) return;
  await tx`
    insert into marks (project_id, day, partition)
    select project_id, (day at time zone 'UTC')::date, ${writer}
    from jsonb_to_recordset(${tx.json([...days.values()])}) as r(project_id text, day timestamptz)
    order by 1, 2
    on conflict (project_id, day, partition) do update set version = marks.version + 1`;
}
