// The governed event types: what each version's payload may hold.
import { z } from "zod";
import { cursorOf, pageLimit, rowsWanted } from "./cursor.ts";
import { identifier, sharedParameters } from "./parameters.ts";
import { defineQuestion } from "./question.ts";

const { project, format } = sharedParameters;

export const schemas = defineQuestion({
  name: "schemas",
  summary: "Governed event types by project, type and version",
  parameters: z.strictObject({
    project,
    format,
    limit: pageLimit,
    cursor: cursorOf(z.tuple([identifier, identifier, z.string().regex(/^[1-9]\d{0,8}$/)])),
  }),
  row: z.object({
    project: z.string(),
    type: z.string(),
    version: z.int().min(1),
    payload: z.string().describe("JSON Schema of the payload, as JSON text"),
    window_ms: z.int().nullable().describe("Width of the window in which a user sends one event of the type"),
    discriminator: z
      .string()
      .nullable()
      .describe("Member of the payload that tells events of a window apart"),
    declared_at: z.iso.datetime(),
    amended_at: z.iso.datetime().nullable(),
  }),
  placeOf: (row) => [String(row["project"]), String(row["type"]), String(row["version"])],
  ask: async (tx, asked) => {
    const rows = await tx<SchemaRow[]>`
      select project_id as project, type, version, payload::text as payload,
        (identity ->> 'window_ms')::integer as window_ms,
        identity ->> 'discriminator' as discriminator,
        declared_at, amended_at
      from event_schemas
      where true
        ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
        ${asked.cursor === undefined ? tx`` : tx`and (project_id, type, version) > (${asked.cursor[0]}, ${asked.cursor[1]}, ${asked.cursor[2]}::integer)`}
      order by project_id, type, version
      limit ${rowsWanted(asked)}`;
    return rows.map((row) => ({
      ...row,
      declared_at: row.declared_at.toISOString(),
      amended_at: row.amended_at?.toISOString() ?? null,
    }));
  },
});

interface SchemaRow {
  project: string;
  type: string;
  version: number;
  payload: string;
  window_ms: number | null;
  discriminator: string | null;
  declared_at: Date;
  amended_at: Date | null;
}
