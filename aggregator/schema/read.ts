// The governed types as they are kept.
import type { ISql } from "postgres";
import { type GovernedType, governedShape } from "../../shared/event/governed.ts";

/** Every version of every governed type, by project and in order; one project's where it is named. */
export async function readGoverned(
  sql: ISql,
  project?: string,
): Promise<ReadonlyMap<string, readonly GovernedType[]>> {
  const rows = await sql<({ project: string } & GovernedType)[]>`
    select project_id as project, type, version, payload, identity
    from event_schemas
    where ${project === undefined ? sql`true` : sql`project_id = ${project}`}
    order by project_id, type, version`;
  const byProject = new Map<string, GovernedType[]>();
  for (const { project: name, ...row } of rows) {
    const types = byProject.get(name) ?? [];
    types.push(governedShape.parse(row));
    byProject.set(name, types);
  }
  return byProject;
}
