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

/** What one query of sql/reports found: nothing of ours is broken by it, but somebody may want to know. */
export type ReportAnswer = Omit<CheckAnswer, "ok">;

const folders = {
  checks: join(import.meta.dirname, "../../sql/checks"),
  reports: join(import.meta.dirname, "../../sql/reports"),
};
const shownRowsMax = 20;

/** Runs all of them, or those that are named, in the order of their names. */
export async function runChecks(tx: TransactionSql, only?: ReadonlySet<string>): Promise<CheckAnswer[]> {
  return (await runFolder(tx, folders.checks, only)).map((found) => ({
    ...found,
    ok: found.rows.length === 0,
  }));
}

/** The same for the reports. */
export async function runReports(tx: TransactionSql): Promise<ReportAnswer[]> {
  return await runFolder(tx, folders.reports);
}

async function runFolder(
  tx: TransactionSql,
  folder: string,
  only?: ReadonlySet<string>,
): Promise<ReportAnswer[]> {
  const answers: ReportAnswer[] = [];
  for (const file of readdirSync(folder).sort()) {
    if (only?.has(file.replace(".sql", "")) === false) continue;
    const text = readFileSync(join(folder, file), "utf8");
    // Planned without the limit: a plan that is fast for the first rows is endless where there are none.
    const rows = await tx.unsafe(
      `with broken as materialized (${text}) select * from broken limit ${shownRowsMax}`,
    );
    answers.push({ name: file.replace(".sql", ""), rows: [...rows] });
  }
  return answers;
}
