// An answer as CSV (RFC 4180): one line of names, then one line a row.
import type { AnswerRow } from "./question.ts";

/** `names` gives the columns and their order, so that an empty answer has its header too. */
export function toCsv(names: readonly string[], rows: readonly AnswerRow[]): string {
  const lines = [names, ...rows.map((row) => names.map((name) => row[name] ?? null))];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

function cell(value: string | number | boolean | null): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  // A spreadsheet takes such a first character for a formula; the apostrophe makes it text again.
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
