// The newest events by their own time: what a person looks at to see that something arrives.
import { z } from "zod";
import { cursorOf, limitOf } from "./cursor.ts";
import { sharedParameters } from "./parameters.ts";
import { defineQuestion } from "./question.ts";

const { format, project } = sharedParameters;

export const newest = defineQuestion({
  name: "newest",
  summary: "The newest events",
  parameters: z.strictObject({
    project,
    format,
    limit: limitOf(10, 100),
    cursor: cursorOf(z.tuple([z.uuid()])),
  }),
  row: z.object({
    event_time: z.iso.datetime(),
    stored_at: z.iso.datetime(),
    type: z.string(),
    user_id: z.string().nullable(),
    anonymous_id: z.string().nullable(),
    country: z.string().nullable(),
    revenue: z.number().nullable(),
    currency: z.string().nullable(),
    id: z.uuid(),
  }),
  placeOf: (row) => [String(row["id"])],
  isPersonal: true,
  // An id begins with its event's time, so the key's index already holds this order.
  ask: async (tx, asked) => {
    const rows = await tx`
      select id, event_time, stored_at, type, user_id, anonymous_id, country, revenue::text as revenue, currency
      from events
      where true
        ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
        ${asked.cursor === undefined ? tx`` : tx`and id < ${asked.cursor[0]}`}
      order by id desc
      limit ${asked.limit + 1}`;
    return rows.map((row) => ({
      event_time: (row["event_time"] as Date).toISOString(),
      stored_at: (row["stored_at"] as Date).toISOString(),
      type: row["type"],
      user_id: row["user_id"],
      anonymous_id: row["anonymous_id"],
      country: row["country"],
      revenue: row["revenue"] === null ? null : Number(row["revenue"]),
      currency: row["currency"],
      id: row["id"],
    }));
  },
});
