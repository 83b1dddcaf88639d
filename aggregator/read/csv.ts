// An answer as CSV (RFC 4180): one line of names, then one line a row.
import type { AnswerRow, Cell } from "./question.ts";

/**
 * `names` gives the columns and their order, so that an empty answer has its header too. A list takes as
 * many columns as the longest of its name has entries: retained_0, retained_1, …
 */
export function toCsv(names: readonly string[], rows: readonly AnswerRow[]): string {
  const columns = names.flatMap((name) => columnsOf(name, rows));
  const lines: Cell[][] = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ of }) => of(row) ?? null)),
  ];
  return lines.map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

function columnsOf(
  name: string,
  rows: readonly AnswerRow[],
): { title: string; of(row: AnswerRow): Cell | undefined }[] {
  const lists = rows.map((row) => row[name]).filter((value) => isList(value));
  if (lists.length === 0) return [{ title: name, of: (row) => row[name] as Cell | undefined }];
  const longest = lists.reduce((most, list) => Math.max(most, list.length), 0);
  return Array.from({ length: longest }, (_, at) => ({
    title: `${name}_${at}`,
    of: (row) => (row[name] as readonly Cell[])[at],
  }));
}

const isList = (value: AnswerRow[string] | undefined): value is readonly number[] | readonly string[] =>
  Array.isArray(value);

/** A number is no formula, and has to stay one. */
const negative = /^-\d+(\.\d+)?$/;

function cell(value: Cell): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  // A spreadsheet takes such a first character for a formula; the apostrophe makes it text again.
  const safe = /^[=+\-@\t\r]/.test(value) && !negative.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
