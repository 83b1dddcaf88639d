// How much of what clients numbered has arrived: by what the streams have in common, or stream by stream.
import type { Sql, TransactionSql } from "postgres";
import { z } from "zod";
import {
  type Answer,
  boundRows,
  inSnapshot,
  iso,
  type Query,
  readParameters,
  watermarkOf,
} from "./answer.ts";
import { cursorOf, cutPage, limitOf } from "./cursor.ts";
import { type LedgerSpan, ledgerSpan } from "./ledger.ts";
import { identifier, sharedParameters } from "./parameters.ts";
import { type AnswerRow, rowLimit } from "./question.ts";
import { readStored } from "./range.ts";
import type { Fragment } from "./within.ts";

/** What streams may be put together by. */
export const completenessKeys = ["total", "project", "app_version", "country", "browser", "stream"] as const;

/** Ranges of missing numbers that a row names; `missing_ranges` says how many there are. */
const shownRangesMax = 50;
const { from, to, tz, project, format } = sharedParameters;

export const completenessParameters = z.strictObject({
  from: from.describe("Streams seen at or after this; all of them when absent"),
  to: to.describe("Streams seen before this; a bare date means the end of that day"),
  tz,
  project,
  format,
  by: z
    .enum(completenessKeys)
    .default("total")
    .describe("What streams are put together by; stream: those with a gap, and what they miss"),
  limit: limitOf(100, 1_000).describe("With by=stream: rows of a page"),
  cursor: cursorOf(z.tuple([identifier, identifier])),
});

type Asked = z.output<typeof completenessParameters>;

const count = z.int().min(0);

export const completenessRow = z.object({
  project: z.string().optional().describe("With by=project and by=stream"),
  app_version: z.string().nullable().optional().describe("With by=app_version: where a stream was seen last"),
  country: z.string().nullable().optional().describe("With by=country: where a stream was seen last"),
  browser: z.string().nullable().optional().describe("With by=browser: where a stream was seen last"),
  stream_id: z.string().optional().describe("With by=stream"),
  streams: count.optional().describe("Numbered streams"),
  expected: count.describe("Numbers from the first, 0 or 1, up to the greatest that was seen"),
  seen: count.describe("Numbers with an outcome: stored, duplicate, quarantined, expired or erased"),
  declared_lost: count.describe("Numbers that are missing and their clients gave up themselves"),
  gap: count.describe("expected - seen - declared_lost"),
  completeness: z.number().min(0).max(1).nullable().describe("seen / expected"),
  missing: z.string().optional().describe("With by=stream: missing numbers, such as 4-6, 9"),
  missing_ranges: count.optional().describe("With by=stream: how many ranges are missing in all"),
  last_time: z.iso.datetime().optional().describe("With by=stream: time of its newest event"),
});

/** Answers /v1/completeness from the streams as they are in one snapshot. */
export async function askCompleteness(
  sql: Sql,
  query: Query,
  reachedMs?: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const asked = readParameters(completenessParameters, query);
  const work = async (tx: TransactionSql): Promise<Answer> => {
    // Compiling costs more than it saves, as in every question.
    await tx`select set_config('jit', 'off', true)`;
    const span = await ledgerSpan(tx, asked);
    const page =
      asked.by === "stream"
        ? cutPage(await listStreams(tx, asked, span), asked, placeOf)
        : { rows: boundRows(await sumStreams(tx, asked, span)), next: null };
    const [now] = await tx<{ ms: number }[]>`select (extract(epoch from now()) * 1000)::float8 as ms`;
    return {
      data: page.rows,
      meta: {
        from: span.from === null ? null : iso(span.from),
        to: span.to === null ? null : iso(span.to),
        as_of: iso(Math.floor(Math.min(now!.ms, reachedMs ?? now!.ms))),
        watermark: watermarkOf(await readStored(tx)),
        next_cursor: page.next,
      },
    };
  };
  return inSnapshot(sql, work, signal);
}

async function sumStreams(tx: TransactionSql, asked: Asked, span: LedgerSpan): Promise<AnswerRow[]> {
  const column = asked.by === "project" ? "project_id" : asked.by;
  const key = asked.by === "total" ? tx`null::text` : tx`${tx(column)}`;
  const rows = await tx`
    select ${key} as key,
      count(*)::float8 as streams,
      coalesce(sum(expected), 0)::float8 as expected,
      coalesce(sum(seen), 0)::float8 as seen,
      coalesce(sum(${declaredLost(tx)}), 0)::float8 as declared_lost,
      coalesce(sum(gap), 0)::float8 as gap
    from stream_counts
    where true ${within(tx, asked, span)}
    ${asked.by === "total" ? tx`` : tx`group by 1`}
    order by 1
    limit ${rowLimit}`;
  return rows.map(({ key: found, ...counts }) => ({
    ...(asked.by === "total" ? {} : { [asked.by]: found as string | null }),
    ...(counts as Record<string, number>),
    completeness: ratio(counts["seen"], counts["expected"]),
  }));
}

// What is missing is the span of the numbers without those that came; the oldest gaps of a stream with
// too many have been closed, so what is named may be less than what is counted.
async function listStreams(tx: TransactionSql, asked: Asked, span: LedgerSpan): Promise<AnswerRow[]> {
  const after = asked.cursor;
  const rows = await tx`
    with found as (
      select project_id, stream_id, last_time, expected, seen, ${declaredLost(tx)} as declared_lost, gap,
        first_seq, max_seq
      from stream_counts
      where gap > 0 ${within(tx, asked, span)}
        ${after === undefined ? tx`` : tx`and (project_id, stream_id) > (${after[0]}, ${after[1]})`}
      order by project_id, stream_id
      limit ${asked.limit + 1}
    )
    select f.project_id as project, f.stream_id, f.expected::float8 as expected, f.seen::float8 as seen,
      f.declared_lost::float8 as declared_lost, f.gap::float8 as gap,
      m.missing, m.ranges as missing_ranges, f.last_time
    from found f
    join streams s on s.project_id = f.project_id and s.stream_id = f.stream_id
    cross join lateral (
      select count(*)::float8 as ranges,
        string_agg(
          case when upper(r) - lower(r) = 1 then lower(r)::text
            else lower(r)::text || '-' || (upper(r) - 1)::text end,
          ', ' order by place
        ) filter (where place <= ${shownRangesMax}::int) as missing
      from unnest(int8multirange(int8range(f.first_seq, f.max_seq, '[]')) - s.seqs)
        with ordinality as u(r, place)
    ) m
    order by f.project_id, f.stream_id`;
  return rows.map((row) => ({
    project: row["project"],
    stream_id: row["stream_id"],
    expected: row["expected"],
    seen: row["seen"],
    declared_lost: row["declared_lost"],
    gap: row["gap"],
    completeness: ratio(row["seen"], row["expected"]),
    missing: row["missing"] ?? "",
    missing_ranges: row["missing_ranges"],
    last_time: (row["last_time"] as Date).toISOString(),
  }));
}

// No more than is missing: what was declared lost and came after all is seen. So the counts add up.
const declaredLost = (tx: TransactionSql): Fragment => tx`least(declared_lost, expected - seen)`;

// A stream lies in a span where any of its events may.
function within(tx: TransactionSql, asked: Asked, span: LedgerSpan): Fragment {
  return tx`
    ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
    ${span.from === null ? tx`` : tx`and last_time >= to_timestamp(${span.from}::float8 / 1000)`}
    ${span.to === null ? tx`` : tx`and first_time < to_timestamp(${span.to}::float8 / 1000)`}`;
}

const ratio = (seen: number, expected: number): number | null => (expected === 0 ? null : seen / expected);

const placeOf = (row: AnswerRow): [string, string] => [String(row["project"]), String(row["stream_id"])];
