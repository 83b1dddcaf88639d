// What one person did, the newest first: events with their user_id, and those of visitors who turned out to be them.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { cursorOf, limitOf } from "./cursor.ts";
import { identifier, sharedParameters } from "./parameters.ts";
import { type AnswerRow, defineQuestion } from "./question.ts";
import type { Range } from "./range.ts";
import { within } from "./within.ts";

const limitMax = 1_000;
const dayMs = 86_400_000;

export const timeline = defineQuestion({
  name: "timeline",
  summary: "The events of one person, the newest first",
  parameters: z.strictObject({
    ...sharedParameters,
    person: identifier.describe("A user_id, or an anonymous_id that came without one"),
    limit: limitOf(100, limitMax),
    cursor: cursorOf(z.tuple([z.uuid()])),
  }),
  row: z.object({
    id: z.uuid(),
    event_time: z.iso.datetime(),
    received_at: z.iso.datetime(),
    clock_offset_ms: z
      .int()
      .nullable()
      .describe("How far the client's clock was ahead; null where it was not told"),
    type: z.string(),
    user_id: z.string().nullable(),
    anonymous_id: z.string().nullable(),
    session_id: z.string().nullable(),
    country: z.string().nullable(),
    city: z.string().nullable(),
    device: z.string().nullable(),
    app_version: z.string().nullable(),
    revenue: z.number().nullable(),
    currency: z.string().nullable(),
    payload: z.string().describe("JSON"),
  }),
  placeOf: (row) => [String(row["id"])],
  isPersonal: true,
  isModelled: () => true,
  ask: async (tx, asked, range) => {
    const visitors = await visitorsOf(tx, asked);
    const ids = [asked.person, ...visitors.map(({ id }) => id)];
    const rows: AnswerRow[] = [];
    for (const day of await activeDays(tx, asked, range, ids)) {
      if (rows.length > asked.limit) break;
      const span = { from: Math.max(range.from, day), to: Math.min(range.to, day + dayMs) };
      rows.push(...(await eventsOf(tx, asked, span, { ids, visitors }, asked.limit + 1 - rows.length)));
    }
    return rows;
  },
});

interface TimelineAsked {
  project?: string | undefined;
  person: string;
  cursor?: readonly [string] | undefined;
}

/** An anonymous_id; in another project it may be another's, and as a user_id somebody else's. */
interface Visitor {
  project: string;
  id: string;
}

const visitorsOf = (tx: TransactionSql, { project, person }: TimelineAsked): Promise<Visitor[]> => tx<
  Visitor[]
>`
  select project_id as project, anonymous_id as id
  from user_links
  where user_id = ${person}
    ${project === undefined ? tx`` : tx`and project_id = ${project}`}
  limit ${limitMax}`;

/** The days to look into, the newest first; without them a person would be looked for among everybody's events. */
async function activeDays(
  tx: TransactionSql,
  { project, cursor }: TimelineAsked,
  range: Range,
  ids: readonly string[],
): Promise<number[]> {
  // An id begins with its event's time.
  const upTo =
    cursor === undefined ? range.to : Number.parseInt(cursor[0].replace("-", "").slice(0, 12), 16) + 1;
  const rows = await tx<{ ms: number }[]>`
    select distinct (extract(epoch from day) * 1000)::float8 as ms
    from person_days
    join persons using (project_id, number)
    where person = any(${[...ids]}::text[])
      ${project === undefined ? tx`` : tx`and project_id = ${project}`}
      and day >= (to_timestamp(${range.from}::float8 / 1000) at time zone 'UTC')::date
      and day <= (to_timestamp(${Math.min(range.to, upTo)}::float8 / 1000) at time zone 'UTC')::date
    order by ms desc`;
  return rows.map(({ ms }) => ms);
}

async function eventsOf(
  tx: TransactionSql,
  asked: TimelineAsked,
  span: { from: number; to: number },
  { ids, visitors }: { ids: readonly string[]; visitors: readonly Visitor[] },
  limit: number,
): Promise<AnswerRow[]> {
  if (span.from >= span.to) return [];
  const rows = await tx`
    select id, event_time, received_at, clock_offset_ms, type, user_id, anonymous_id, session_id, country, city,
      device, app_version, revenue::text as revenue, currency, payload::text as payload
    from events
    where ${within(tx, { project: asked.project, users: "all" }, span)}
      and coalesce(user_id, anonymous_id) = any(${[...ids]}::text[])
      and (
        coalesce(user_id, anonymous_id) = ${asked.person}
        or user_id is null and (project_id, anonymous_id) in (
          select * from unnest(${visitors.map(({ project }) => project)}::text[], ${visitors.map(({ id }) => id)}::text[])
        )
      )
      ${asked.cursor === undefined ? tx`` : tx`and id < ${asked.cursor[0]}`}
    order by id desc
    limit ${limit}`;
  return rows.map(
    (row) =>
      ({
        ...row,
        event_time: (row["event_time"] as Date).toISOString(),
        received_at: (row["received_at"] as Date).toISOString(),
        clock_offset_ms: row["clock_offset_ms"] === null ? null : Number(row["clock_offset_ms"]),
        revenue: row["revenue"] === null ? null : Number(row["revenue"]),
      }) as AnswerRow,
  );
}
