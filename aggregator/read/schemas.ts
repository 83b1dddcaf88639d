// The governed types, for edges, for the API and for the command line.
import type { Sql } from "postgres";
import { type GovernedType, governedListShape } from "../../shared/event/governed.ts";
import { inSnapshot } from "./answer.ts";

/** Every version of every governed type, by project and in order; one project's where it is named. */
export async function readSchemas(
  sql: Sql,
  project?: string,
): Promise<ReadonlyMap<string, readonly GovernedType[]>> {
  return inSnapshot(sql, async (tx) => {
    const rows = await tx<({ project: string } & GovernedType)[]>`
      select project_id as project, type, version, payload, identity
      from event_schemas
      ${project === undefined ? tx`` : tx`where project_id = ${project}`}
      order by project_id, type, version`;
    const grouped = Map.groupBy(rows, (row) => row.project);
    return new Map(
      [...grouped].map(([name, types]) => [
        name,
        governedListShape.parse(types.map(({ project: _, ...governed }) => governed)),
      ]),
    );
  });
}
