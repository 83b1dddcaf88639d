// What events say that they can be grouped by: a column of theirs, or a property of the payload.
import type { TransactionSql } from "postgres";
import type { z } from "zod";
import { WeirError } from "../../shared/problem.ts";
import { identifier } from "./parameters.ts";
import type { Fragment } from "./within.ts";

export const said = ["type", "country", "city", "device", "app_version", "property"] as const;

export const property: z.ZodOptional<z.ZodString> = identifier
  .optional()
  .describe("With by=property: the name of a property of the payload");

/** Longer texts are cut: what is grouped by them is hardly meant as a group. */
const valueLengthMax = 256;

/** Text, null where an event did not say; `invalid_query` where a property is named for nothing, or none is. */
export function valueColumn(
  tx: TransactionSql,
  asked: { by: (typeof said)[number]; property?: string | undefined },
): Fragment {
  if ((asked.by === "property") !== (asked.property !== undefined)) {
    throw new WeirError("invalid_query", "property: goes with by=property, and names what is grouped by");
  }
  if (asked.property === undefined) return tx`${tx(asked.by)} collate "C"`;
  return tx`left(payload ->> ${asked.property}, ${valueLengthMax}::int) collate "C"`;
}
