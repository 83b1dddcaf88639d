// Answers a question: its parameters checked, its snapshot taken, its bounds kept, its failures named.
import type { Sql, TransactionSql } from "postgres";
import type { z } from "zod";
import { queryRowsMax, queryStatementMs } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import { whileWanted } from "../store/cancel.ts";
import { errorCode, isAway, withDeadline } from "../store/errors.ts";
import { StoreError } from "../store/store.ts";
import { cutPage, type PageAsked } from "./cursor.ts";
import { foldedUntil } from "./modelled.ts";
import type { AnswerRow, Question } from "./question.ts";
import { openRange, type Range, type RangeAsked } from "./range.ts";

/**
 * Times are RFC 3339 in UTC. What was stored before `as_of` is in the answer; `watermark` is the greatest
 * stored event_time, null in an empty store.
 */
export interface AnswerMeta extends AnswerRow {
  from: string | null;
  to: string | null;
  as_of: string;
  watermark: string | null;
  /** Of a question that has pages: what `cursor` takes for the next one, null on the last. */
  next_cursor?: string | null;
}

export interface Answer {
  data: readonly AnswerRow[];
  meta: AnswerMeta;
}

/** A query string: every value given for a name. */
export type Query = Readonly<Record<string, readonly string[]>>;

/** Checks a query against its schema; `invalid_query` names every parameter at fault. */
export function readParameters<Parameters extends z.ZodObject>(
  parameters: Parameters,
  query: Query,
): z.output<Parameters> {
  const faults: string[] = [];
  const values: Record<string, string> = Object.create(null);
  for (const [name, given] of Object.entries(query)) {
    if (!Object.hasOwn(parameters.shape, name)) faults.push(`${shown(name)}: is no parameter here`);
    else if (given.length > 1) faults.push(`${name}: is given more than once`);
    else if (given[0] !== "") values[name] = given[0]!;
  }
  const parsed = parameters.safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) faults.push(`${issue.path.join(".")}: ${issue.message}`);
  }
  if (faults.length > 0 || !parsed.success) throw new WeirError("invalid_query", faults.join("; "));
  return parsed.data;
}

/**
 * Runs one question over the events. Rejects with a WeirError whatever happens. `reachedMs`: what is asked is
 * behind, and has everything that was stored before this. `signal`: nobody waits for it, or for why it ends.
 */
export async function answer(
  sql: Sql,
  question: Question,
  query: Query,
  reachedMs?: number,
  signal?: AbortSignal,
): Promise<Answer> {
  const asked = readParameters(question.parameters, query);
  const work = async (tx: TransactionSql): Promise<Answer> => {
    const opened = await openRange(tx, { tz: "UTC", ...(asked as Partial<RangeAsked>) });
    const range = { ...opened, asOf: Math.min(opened.asOf, reachedMs ?? opened.asOf) };
    const spans = "from" in question.parameters.shape;
    const rows = await question.ask(tx, asked, range);
    const placeOf = question.placeOf?.bind(question);
    const page = placeOf === undefined ? undefined : cutPage(rows, asked as PageAsked, placeOf);
    const data = boundRows(page?.rows ?? rows, page !== undefined);
    const { project } = asked as { project?: string };
    const asOf = question.isModelled?.(asked, range)
      ? await foldedUntil(tx, project, range.asOf)
      : range.asOf;
    return {
      data,
      meta: {
        from: spans ? iso(range.from) : null,
        to: spans ? iso(range.to) : null,
        as_of: iso(asOf),
        watermark: watermarkOf(range.stored),
        ...(page === undefined ? {} : { next_cursor: page.next }),
        ...question.metaOf?.(data),
      },
    };
  };
  return inSnapshot(sql, work, signal);
}

/** All of `rows`, or `invalid_query` where they are more than one answer holds; a part is given to nobody unasked. */
export function boundRows(rows: readonly AnswerRow[], hasPages = false): AnswerRow[] {
  if (rows.length > queryRowsMax) {
    const pages = hasPages ? ", or ask page by page with limit" : "";
    const advice = `choose a shorter span, fewer types or a wider interval${pages}`;
    throw new WeirError("invalid_query", `The answer has more than ${queryRowsMax} rows; ${advice}.`);
  }
  return [...rows];
}

/**
 * Runs `work` in one read-only snapshot and maps what goes wrong; never takes longer than the limit. Once `signal`
 * is aborted its statement is ended, and it rejects as if the limit were over.
 */
export function inSnapshot<Value>(
  sql: Sql,
  work: (tx: TransactionSql) => Promise<Value>,
  signal?: AbortSignal,
): Promise<Value> {
  const wanted = signal === undefined ? work : whileWanted(sql, signal, work);
  return bounded(sql.begin("isolation level repeatable read read only", wanted) as Promise<Value>);
}

/** Waits for something of the store no longer than for a question, and maps what goes wrong. */
export async function bounded<Value>(work: Promise<Value>): Promise<Value> {
  try {
    // The server ends a slow statement itself; this deadline is for a server that no longer answers.
    return await withDeadline("the question", queryStatementMs + 2_000, work);
  } catch (error) {
    throw asProblem(error);
  }
}

/** The greatest stored event_time. */
export const watermarkOf = (stored: Range["stored"]): string | null =>
  stored === undefined ? null : iso(stored.last);

export const iso = (ms: number): string => new Date(ms).toISOString();

/** What went wrong in the store, as the API tells it. */
export function asProblem(cause: unknown): unknown {
  if (cause instanceof WeirError) return cause;
  if (isAway(cause)) return new WeirError("store_unavailable", "The store does not answer.", { cause });
  if (cause instanceof StoreError) {
    return new WeirError("store_unavailable", "The store that questions are asked of does not answer.", {
      cause,
    });
  }
  const code = errorCode(cause);
  // A replica has to follow, whoever still reads what was removed.
  if (code === "40001") {
    return new WeirError("store_unavailable", "What was read is changing; ask again.", {
      cause,
    });
  }
  if (code === "57014") {
    return new WeirError("query_timeout", `The question took over ${queryStatementMs / 1000} s.`, { cause });
  }
  if (code === "42P01" || code === "42703") {
    return new WeirError("not_ready", "The store is not migrated; run weir migrate.", { cause });
  }
  // The store's calendar ends elsewhere than ours: 22007 and 22008 are times, 22023 an unknown zone.
  if (["22007", "22008", "22023"].includes(code)) {
    return new WeirError("invalid_query", "from, to, tz: the store does not know this time or zone", {
      cause,
    });
  }
  return cause;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40));
}
