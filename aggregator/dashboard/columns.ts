// Rows of an answer as columns of a chart: every bucket of the span has a place, an empty one is nought.
import type { AnswerRow } from "../read/question.ts";
import { addDays, firstDay } from "./view.ts";

/** One line or layer of a chart. */
export interface Column {
  name: string;
  values: number[];
}

export interface Columns {
  buckets: string[];
  columns: Column[];
}

/** Layers beyond these are one: more colours could not be told apart. */
const columnsMax = 5;
export const restName = "other";
/** A span longer than ten years is not filled up beyond its first and last row. */
const paddedMsMax = 3_660 * 86_400_000;

/**
 * Spreads rows over the buckets from `from` to `to`; a span from the first day on begins with the first
 * row and ends with the last. Columns come largest first. A bucket without a row is `absent`: nought of what
 * is counted, NaN of what has no value then.
 */
export function spread(
  rows: readonly AnswerRow[],
  value: string,
  by: string | undefined,
  span: { from: string; to: string; interval: string },
  absent = 0,
): Columns {
  const seen = rows.map((row) => String(row["bucket"]));
  if (seen.length === 0) return { buckets: [], columns: [] };
  const whole = span.from === firstDay || Date.parse(span.to) - Date.parse(span.from) > paddedMsMax;
  const buckets = bucketsOf(
    whole ? seen[0]! : bucketAt(span.from, span.interval),
    whole ? seen.at(-1)! : bucketAt(span.to, span.interval),
    span.interval,
  );
  const place = new Map(buckets.map((bucket, at) => [bucket, at]));
  const found = new Map<string, number[]>();
  for (const row of rows) {
    const name = by === undefined ? value : String(row[by]);
    const values = found.get(name) ?? new Array<number>(buckets.length).fill(absent);
    found.set(name, values);
    const at = place.get(String(row["bucket"]));
    if (at === undefined || row[value] === null) continue;
    values[at] = (Number.isNaN(values[at]) ? 0 : values[at]!) + Number(row[value]);
  }
  const columns = [...found].map(([name, values]) => ({ name, values }));
  columns.sort((left, right) => sum(right.values) - sum(left.values) || left.name.localeCompare(right.name));
  return { buckets, columns: joinRest(columns, buckets.length) };
}

function joinRest(columns: Column[], length: number): Column[] {
  if (columns.length <= columnsMax + 1) return columns;
  const rest = new Array<number>(length).fill(0);
  for (const { values } of columns.slice(columnsMax)) {
    for (const [at, value] of values.entries()) rest[at]! += value;
  }
  return [...columns.slice(0, columnsMax), { name: restName, values: rest }];
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The bucket a day lies in; weeks begin on Monday. */
export function bucketAt(day: string, interval: string): string {
  if (interval === "month") return `${day.slice(0, 7)}-01`;
  if (interval === "week") return addDays(day, -((new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7));
  return day;
}

function bucketsOf(first: string, last: string, interval: string): string[] {
  const buckets: string[] = [];
  for (let bucket = first; bucket <= last; ) {
    buckets.push(bucket);
    if (interval === "month") bucket = bucketAt(addDays(bucket, 32), "month");
    else bucket = addDays(bucket, interval === "week" ? 7 : 1);
  }
  return buckets;
}
