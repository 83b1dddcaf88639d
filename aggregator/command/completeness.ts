// Completeness for a person: one line that adds up, and a table of what it is made of.
import type { AnswerRow } from "../read/question.ts";

const number = (value: unknown): string => Number(value ?? 0).toLocaleString("en");

/** The ratio in percent, rounded down, so that 100 % is said only where nothing is missing. */
export const percent = (ratio: unknown): string =>
  typeof ratio === "number" ? `${(Math.floor(ratio * 10_000) / 100).toFixed(2)} %` : "-";

/** The line over all streams. */
export function totalText(total: AnswerRow): string {
  const counts = `expected ${number(total["expected"])} = seen ${number(total["seen"])}`;
  const missing = `declared lost ${number(total["declared_lost"])} + gap ${number(total["gap"])}`;
  return `${number(total["streams"])} streams, ${counts} + ${missing}, ${percent(total["completeness"])} complete`;
}

/** Rows of one grouping; `by` names the column of their key. */
export function groupsText(by: string, rows: readonly AnswerRow[]): string {
  const lines = rows.map((row) => [
    String(row[by] ?? "(none)"),
    number(row["streams"]),
    number(row["expected"]),
    number(row["seen"]),
    number(row["declared_lost"]),
    number(row["gap"]),
    percent(row["completeness"]),
  ]);
  return table([[by, "streams", "expected", "seen", "declared lost", "gap", "complete"], ...lines]);
}

/** Streams with a gap, and the numbers they miss. */
export function gapsText(rows: readonly AnswerRow[], next: string | null): string {
  const lines = rows.map((row) => {
    const shown = String(row["missing"]);
    const more = Number(row["missing_ranges"]) - (shown === "" ? 0 : shown.split(", ").length);
    const missing = more > 0 ? `${shown} and ${number(more)} more ranges` : shown;
    return [String(row["project"]), String(row["stream_id"]), number(row["gap"]), missing];
  });
  const text =
    rows.length === 0 ? "no stream has a gap" : table([["project", "stream", "gap", "missing"], ...lines]);
  return next === null ? text : `${text}\nmore: --gaps --cursor ${next}`;
}

// Texts to the left, numbers to the right; the last column is not padded.
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const isNumber = rows[0]!.map((_, column) =>
    rows.slice(1).every((row) => /^[\d,.]+( %)?$|^-$/.test(row[column]!)),
  );
  const cell = (text: string, column: number): string =>
    isNumber[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
