// How many sessions began in each bucket, and how long they lasted.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { cutBuckets } from "./buckets.ts";
import { bucket, eventParameters } from "./parameters.ts";
import { type AnswerRow, defineQuestion, rowLimit } from "./question.ts";
import type { Range } from "./range.ts";
import { canUsePieces, readPieced, sessionsSource } from "./sessions-modelled.ts";
import { sessionGapMs, sessionsByGap, sessionsById } from "./sessions-raw.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

/** How far behind the span the last sessions are followed at first. */
const followMs = 24 * 60 * 60_000;

export const sessions = defineQuestion({
  name: "sessions",
  summary: "Sessions and their average length, in the bucket where they begin",
  parameters: z.strictObject({
    ...eventParameters,
    interval: z
      .enum(["day", "week", "month", "total"])
      .default("day")
      .describe("Width of a bucket; total: one for the whole span"),
    by: z
      .enum(["gap", "session_id"])
      .default("gap")
      .describe(
        "gap: a person's events with no more than 30 minutes between them; session_id: those with the same session_id",
      ),
  }),
  row: z.object({
    bucket: bucket.nullable().describe("First day of the bucket; null for the whole span"),
    sessions: z.int().min(0),
    avg_duration_sec: z.number().nullable().describe("From a session's first event to its last"),
  }),
  isModelled: canUsePieces,
  ask: async (tx, asked, range) => {
    const isModelled = canUsePieces(asked);
    const stored = isModelled ? await readPieced(tx) : range.stored;
    if (stored === undefined) return asked.interval === "total" ? [none] : [];
    const count = (rows: Fragment) => countSessions(tx, asked, { ...range, stored }, rows);
    if (asked.by === "session_id") {
      const all = { from: stored.first, to: stored.last + 1 };
      return answered(await count(sessionsById(tx, asked, range, all)));
    }
    // A session may go on for as long as it likes; few do so for a day.
    for (let reachMs = followMs; ; reachMs *= 8) {
      const readTo = range.to + reachMs;
      const rows = await count((isModelled ? sessionsOfPieces : sessionsByGap)(tx, asked, range, readTo));
      if (readTo > stored.last || rows.every((row) => row.newest_ms < readTo - sessionGapMs)) {
        return answered(rows);
      }
    }
  },
});

interface Counted {
  bucket: string | null;
  sessions: number;
  lasted_ms: number;
  /** When the last of them ended; −1 without any. */
  newest_ms: number;
}

const none: AnswerRow = { bucket: null, sessions: 0, avg_duration_sec: null };

function sessionsOfPieces(tx: TransactionSql, asked: EventsAsked, span: Span, readTo: number): Fragment {
  return tx`
    select started_at as event_time, ended_at as ended
    from (${sessionsSource(tx, asked, span, readTo)}) as sessions`;
}

interface SessionsAsked {
  interval: "day" | "week" | "month" | "total";
  tz: string;
}

/** Counts sessions (event_time, ended) by where they begin. Lengths are whole milliseconds, so sums are exact. */
async function countSessions(
  tx: TransactionSql,
  { interval, tz }: SessionsAsked,
  range: Range,
  rows: Fragment,
): Promise<Counted[]> {
  const figures = tx`
    count(*)::float8 as sessions,
    coalesce(extract(epoch from sum(ended - event_time)) * 1000, 0)::float8 as lasted_ms,
    coalesce(extract(epoch from max(ended)) * 1000, -1)::float8 as newest_ms`;
  if (interval === "total") {
    return tx<Counted[]>`select null as bucket, ${figures} from (${rows}) as begun`;
  }
  const buckets = await cutBuckets(tx, { interval, tz }, range);
  if (buckets === undefined) return [];
  return tx<Counted[]>`
    select ${buckets.name} as bucket, sessions, lasted_ms, newest_ms
    from (
      select ${buckets.place} as place, ${figures}
      from (${rows}) as begun
      group by 1
    ) as counted
    order by place
    limit ${rowLimit}`;
}

function answered(rows: readonly Counted[]): AnswerRow[] {
  return rows.map(({ bucket, sessions, lasted_ms }) => ({
    bucket,
    sessions,
    avg_duration_sec: sessions === 0 ? null : lasted_ms / sessions / 1000,
  }));
}
