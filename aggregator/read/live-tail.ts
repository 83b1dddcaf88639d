// The newest stored events, one by one, for whoever watches them come in.
import type { TransactionSql } from "postgres";
import type { HourAsked, SeenFold } from "./live-hour.ts";

/** Events shown a look at most, and so of each second. */
export const tailMax = 50;
/** What is shown of a payload, in characters. */
const payloadMax = 500;

export interface TailEvent {
  id: string;
  event_time: string;
  stored_at: string;
  project: string;
  type: string;
  user_id: string | null;
  anonymous_id: string | null;
  country: string | null;
  revenue: number | null;
  currency: string | null;
  /** JSON, cut after some hundred characters. */
  payload: string;
}

/** What was stored since the last look: some of the events, the newest first, and how many there were of a project. */
export interface Tail {
  events: TailEvent[];
  stored: ReadonlyMap<string, number>;
}

/** Reads the newest of the events that the folds name. Ids begin with their events' times. */
export async function readTail(tx: TransactionSql, folds: readonly SeenFold[]): Promise<Tail> {
  const stored = new Map<string, number>();
  for (const { project, events } of folds) stored.set(project, (stored.get(project) ?? 0) + events);
  const ids = folds
    .flatMap((fold) => fold.ids)
    .sort()
    .slice(-tailMax);
  if (ids.length === 0) return { events: [], stored };
  const rows = await tx`
    select id, event_time, stored_at, project_id as project, type, user_id, anonymous_id, country,
      revenue::float8 as revenue, currency, left(payload::text, ${payloadMax}::int) as payload
    from events
    where id = any(${ids}::uuid[])
      and event_time >= ${timeOf(ids[0]!)}
      and event_time <= ${timeOf(ids.at(-1)!)}
    order by id desc`;
  const events = rows.map(
    (row) =>
      ({
        ...row,
        event_time: (row["event_time"] as Date).toISOString(),
        stored_at: (row["stored_at"] as Date).toISOString(),
      }) as TailEvent,
  );
  return { events, stored };
}

/** What of it one listener asked for; `dropped`: events of the project that were stored and are not looked at. */
export function tailFor(
  { events, stored }: Tail,
  asked: HourAsked,
): { events: TailEvent[]; dropped: number } {
  const own = events.filter(({ project }) => asked.project === undefined || project === asked.project);
  let all = 0;
  for (const [project, count] of stored) {
    if (asked.project === undefined || project === asked.project) all += count;
  }
  return {
    events: own.filter(
      (event) =>
        (asked.types === undefined || asked.types.includes(event.type)) &&
        (asked.users === "all" || event.user_id !== null),
    ),
    dropped: all - own.length,
  };
}

const timeOf = (id: string): Date => new Date(Number.parseInt(id.replace("-", "").slice(0, 12), 16));
