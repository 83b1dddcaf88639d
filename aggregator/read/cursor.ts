// Pages of an answer: how many rows one holds, where the next one begins, and that place as a text to hand back.
import { z } from "zod";
import { identifierLengthMax, queryRowsMax } from "../../shared/limits.ts";
import { rowLimit } from "./question.ts";
import type { Range } from "./range.ts";

/** Where a row lies in the order of its question: the values it is ordered by. */
export type Place = readonly (string | null)[];

/** What of a question decides its page. */
export interface PageAsked {
  limit?: number | undefined;
}

/** A day of any time zone begins less than a day before or after that of UTC. */
const dayMs = 86_400_000;

/** base64url of the longest place there is: three identifiers as JSON, each character up to six bytes. */
const cursorLengthMax = 3 * identifierLengthMax * 8;

/** `limit` of a question that is a list: without it a page holds `usual` rows. */
export const limitOf = (usual: number, most: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce.number().int().min(1).max(most).default(usual).describe("Rows of a page");

/** `limit` of a question that is answered whole unless pages are asked for. */
export const pageLimit: z.ZodOptional<z.ZodCoercedNumber> = z.coerce
  .number()
  .int()
  .min(1)
  .max(queryRowsMax)
  .optional()
  .describe(`Rows of a page; without it all rows are answered, up to ${queryRowsMax}`);

/** `cursor`: a text that `writeCursor` made of a place of this shape; anything else is a fault. */
export function cursorOf<Shape extends z.ZodType<Place>>(
  shape: Shape,
): z.ZodOptional<z.ZodPipe<z.ZodString, z.ZodTransform<z.output<Shape>, string>>> {
  return z
    .string()
    .max(cursorLengthMax)
    .transform((text, context): z.output<Shape> => {
      const place = shape.safeParse(decoded(text));
      if (place.success) return place.data;
      context.addIssue({ code: "custom", message: "must be meta.next_cursor of the page before" });
      return z.NEVER;
    })
    .optional()
    .describe("Goes on behind the page whose meta.next_cursor this is");
}

/** A place as a text that says nothing to whoever carries it, and fits into a URL as it is. */
export const writeCursor = (place: Place): string => Buffer.from(JSON.stringify(place)).toString("base64url");

/** Rows to read: one more than a page or a whole answer holds, so that it is known whether more follow. */
export const rowsWanted = ({ limit }: PageAsked): number => (limit === undefined ? rowLimit : limit + 1);

/** Cuts what was read to one page; `next` is null on the last. */
export function cutPage<Row>(
  rows: readonly Row[],
  { limit }: PageAsked,
  placeOf: (row: Row) => Place,
): { rows: Row[]; next: string | null } {
  if (limit === undefined || rows.length <= limit) return { rows: [...rows], next: null };
  return { rows: rows.slice(0, limit), next: writeCursor(placeOf(rows[limit - 1]!)) };
}

/**
 * A span without what is surely before the day of a cursor, so that a later page reads less. It begins whole days
 * later, so that a model answers every page or none.
 */
export function behindBucket(range: Range, cursor: Place | undefined): Range {
  const day = cursor?.[0];
  if (day == null) return range;
  const days = Math.floor((Math.min(Date.parse(day) - dayMs, range.to) - range.from) / dayMs);
  return days > 0 ? { ...range, from: range.from + days * dayMs } : range;
}

function decoded(text: string): unknown {
  try {
    if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "base64url")));
  } catch {
    return undefined;
  }
}
