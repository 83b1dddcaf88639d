// Notes which events a transaction has stored, for whoever folds them into the read models.
import type { TransactionSql } from "postgres";
import type { Plan } from "./plan.ts";

const dayMs = 24 * 60 * 60_000;

/** Notes the ids of the plan's stored events, a row for each project and UTC day. No two writers share one. */
export async function noteFresh(tx: TransactionSql, plan: Plan): Promise<void> {
  const notes = new Map<string, { project_id: string; day: string; ids: string[] }>();
  // Kept events are in the order of their ids, which is that of their times.
  let [lastDay, lastProject, ids] = [-1, "", [] as string[]];
  for (const one of plan.kept) {
    if (one.fate !== "stored") continue;
    const day = Math.floor(one.time / dayMs);
    const { project } = one.decoded.record.batch;
    if (day !== lastDay || project !== lastProject) {
      [lastDay, lastProject] = [day, project];
      const place = `${day}/${project}`;
      const note = notes.get(place) ?? {
        project_id: project,
        day: new Date(day * dayMs).toISOString().slice(0, 10),
        ids: [],
      };
      notes.set(place, note);
      ids = note.ids;
    }
    ids.push(Buffer.from(one.key, "latin1").toString("hex"));
  }
  if (notes.size === 0) return;
  const rows = [...notes.values()].map((note) => ({ ...note, ids: `{${note.ids.join(",")}}` }));
  await tx`
    insert into fresh_events (project_id, day, ids)
    select project_id, day, ids::uuid[]
    from jsonb_to_recordset(${tx.json(rows)}) as r(project_id text, day date, ids text)`;
}
