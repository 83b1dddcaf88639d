// What people can be told apart by: what the event said with which they came in.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import type { Fragment } from "./within.ts";

const kinds = ["country", "city", "device", "app_version"] as const;
export type Breakdown = (typeof kinds)[number];

/** The parameter, and the column of an answer's rows that is there where it was given. */
export const breakdown: z.ZodOptional<z.ZodEnum<{ [Kind in Breakdown]: Kind }>> = z.enum(kinds).optional();
export const brokenDown: z.ZodOptional<z.ZodNullable<z.ZodString>> = z
  .string()
  .nullable()
  .optional()
  .describe("What the rows are broken down by; null where the event named none");

/**
 * The columns of an event that its tag is made of. Ids sort by time, so the least tag of a group is of its
 * first event: one pass finds what that event said.
 */
export function tagColumn(tx: TransactionSql, asked: Breakdown | undefined): Fragment {
  if (asked === undefined) return tx`null::text as tag`;
  return tx`(id::text || coalesce('=' || ${tx(asked)}, '')) collate "C" as tag`;
}

/** What a tag says; null where the event said nothing. */
export const tagValue = (tx: TransactionSql): Fragment =>
  tx`case when length(tag) > 36 then substr(tag, 38) end`;
