// The invariants of sql/checks: queries that return no rows.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TransactionSql } from "postgres";

/** One invariant of sql/checks; `rows` are the first of those that break it. */
export interface CheckAnswer {
  name: string;
  ok: boolean;
  rows: Record<string, unknown>[];
}

const checksFolder = join(import.meta.dirname, "../../sql/checks");
const shownRowsMax = 20;

/** Runs all of them, in the order of their names. */
export async function runChecks(tx: TransactionSql): Promise<CheckAnswer[]> {
  const answers: CheckAnswer[] = [];
  for (const file of readdirSync(checksFolder).sort()) {
    const text = readFileSync(join(checksFolder, file), "utf8");
    // Planned without the limit: a plan that is fast for the first rows is endless where there are none.
    const rows = await tx.unsafe(
      `with broken as materialized (${text}) select * from broken limit ${shownRowsMax}`,
    );
    answers.push({ name: file.replace(".sql", ""), ok: rows.length === 0, rows: [...rows] });
  }
  return answers;
}
