// An answer as HTTP: JSON or CSV, with its validator, where it stands in time, and the way to its next page.
import type { Context } from "hono";
import type { z } from "zod";
import type { Answer } from "../read/answer.ts";
import { toCsv } from "../read/csv.ts";
import type { AnswerRow } from "../read/question.ts";
import { isKnown, tagOf } from "./etag.ts";

/** What every answer has, whatever its rows are. */
export interface Formed {
  data: unknown;
  meta: { as_of: string; watermark?: string | null; next_cursor?: string | null };
}

/** Rows of people are kept by nobody on the way; figures may be, and are asked for again each time. */
export type Keeping = "private, no-cache" | "no-store";

/** An answer in the form that was asked for; `names` are the columns of its CSV. */
export function formed(
  context: Context,
  names: readonly string[],
  answer: Answer,
  keeping?: Keeping,
): Response {
  if (context.req.query("format") !== "csv") return formedJson(context, answer, keeping);
  const csv = { "content-type": "text/csv; charset=utf-8; header=present" };
  return told(context, answer, keeping, (headers) =>
    context.body(toCsv(names, answer.data), 200, { ...headers, ...csv }),
  );
}

/** An answer as JSON; 304 and no body where the asker has it already. */
export function formedJson(context: Context, answer: Formed, keeping?: Keeping): Response {
  return told(context, answer, keeping, (headers) => context.json(answer, 200, headers));
}

/** The columns that this answer's rows have, in the order of their description. */
export function namesIn(row: z.ZodObject, { data }: { data: readonly AnswerRow[] }): string[] {
  const given = new Set(data.flatMap((one) => Object.keys(one)));
  return Object.keys(row.shape).filter((name) => given.has(name));
}

// The headers of a 304 are those of the whole answer, so that its new as_of is told, too.
function told(
  context: Context,
  answer: Formed,
  keeping: Keeping = "private, no-cache",
  whole: (headers: Record<string, string>) => Response,
): Response {
  const { as_of: asOf, watermark, next_cursor: next } = answer.meta;
  const tag = tagOf(answer);
  const headers: Record<string, string> = {
    etag: tag,
    "cache-control": keeping,
    vary: "authorization",
    "weir-as-of": asOf,
    "weir-watermark": watermark ?? "",
  };
  if (next != null) {
    headers["weir-next-cursor"] = next;
    headers["link"] = `<${behind(context, next)}>; rel="next"`;
  }
  if (isKnown(tag, context.req.header("if-none-match"))) return context.body(null, 304, headers);
  return whole(headers);
}

// The same question behind the cursor; relative, since a proxy may have given this server another name.
function behind(context: Context, cursor: string): string {
  const { pathname, searchParams } = new URL(context.req.url);
  searchParams.set("cursor", cursor);
  return `${pathname}?${searchParams}`;
}
