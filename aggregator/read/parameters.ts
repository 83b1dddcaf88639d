// The parameters every question shares, each with its rule and its words for the API's description.
import { z } from "zod";
import { readTime } from "../../shared/event/time.ts";
import { identifierLengthMax } from "../../shared/limits.ts";

const datePattern = /^\d{4}-\d\d-\d\d$/;
const listMax = 100;

/** Text PostgreSQL can hold: no U+0000, no half of a surrogate pair. */
export const identifier: z.ZodString = z
  .string()
  .min(1)
  .max(identifierLengthMax)
  .refine((text) => !text.includes("\u0000") && text.isWellFormed(), "must be well-formed text");

/** A bound as it was asked: a day of the question's time zone, or an instant in epoch ms. */
export type Bound = { day: string } | { ms: number };

const bound = z.string().transform((text, context): Bound => {
  if (datePattern.test(text)) {
    const read = readTime(`${text}T00:00:00Z`);
    if (typeof read === "number" && text >= "0001") return { day: text };
  } else {
    const read = readTime(/^\d{1,15}$/.test(text) ? Number(text) : text);
    if (typeof read === "number") return { ms: read };
    if (read === "timestamp_without_offset") {
      context.addIssue({ code: "custom", message: "needs Z or an offset such as +01:00" });
      return z.NEVER;
    }
  }
  context.addIssue({ code: "custom", message: "must be a date, an RFC 3339 time or epoch milliseconds" });
  return z.NEVER;
});

const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, "must be an IANA time zone such as Europe/Berlin")
  .default("UTC");

/** Event types, comma-separated. */
export const typeList = z
  .string()
  .transform((text) => text.split(",").filter((part) => part !== ""))
  .pipe(z.array(identifier).min(1).max(listMax));

/** What every question takes. */
export const sharedParameters = {
  from: bound.optional().describe("First moment, inclusive: a date, an RFC 3339 time or epoch milliseconds"),
  to: bound.optional().describe("Last moment, exclusive; a bare date means the end of that day"),
  tz: timeZone.describe("IANA time zone of bare dates and buckets"),
  project: identifier.optional().describe("One project; all of them when absent"),
  format: z.enum(["json", "csv"]).default("json").describe("Form of the answer"),
};

/** What every question about events takes beside that. */
export const eventParameters = {
  ...sharedParameters,
  types: typeList.optional().describe("Event types, comma-separated; all of them when absent"),
  users: z
    .enum(["identified", "all", "linked"])
    .default("all")
    .describe(
      "identified: events and people with a user_id; all: or with an anonymous_id; linked: an anonymous_id counts as the user it was last identified as",
    ),
};

/** The width of a bucket; weeks begin on Monday. */
export const interval = z.enum(["day", "week", "month"]).default("day").describe("Width of a bucket");

/** A bucket as it is answered. */
export const bucket = z.iso.date().describe("First day of the bucket, in the question's time zone");

// Intl also knows offsets and PostgreSQL takes POSIX rules such as "A3": only names are let through.
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
