// How events, people and money are drawn over time, on whichever page they stand.
import type { AnswerRow } from "../read/question.ts";
import { spread, sum } from "./columns.ts";
import { formatCompact, formatCount, formatMoney, formatShare } from "./format.ts";
import type { Panel } from "./panel.ts";
import type { Interval } from "./view.ts";

/** The span of what is drawn. */
export interface Span {
  from: string;
  to: string;
  interval: Interval;
}

const count = (value: number, short: boolean): string => (short ? formatCompact(value) : formatCount(value));

export function drawEvents(panel: Panel, rows: readonly AnswerRow[], span: Span): void {
  const columns = spread(rows, "events", "type", span);
  const total = sum(columns.columns.flatMap((column) => column.values));
  panel.draw(
    columns,
    { kind: "bars", interval: span.interval, whole: true, format: count },
    formatCount(total),
  );
}

export function drawUsers(panel: Panel, rows: readonly AnswerRow[], span: Span): void {
  const { buckets, columns } = spread(rows, "active_users", undefined, span);
  const most = (columns[0]?.values ?? []).reduce((highest, value) => Math.max(highest, value), 0);
  panel.draw(
    { buckets, columns: columns.map((column) => ({ ...column, name: "active users" })) },
    { kind: "area", interval: span.interval, whole: true, format: count },
    `${formatCount(most)} at most a ${span.interval}`,
  );
}

/** How many of the people of the last days came in each bucket. */
export function drawStickiness(panel: Panel, rows: readonly AnswerRow[], span: Span): void {
  const { buckets, columns } = spread(rows, "stickiness", undefined, span);
  const [came, known] = ["bucket_users", "active_users"].map((name) =>
    sum(rows.map((row) => Number(row[name]))),
  );
  panel.draw(
    { buckets, columns: columns.map((column) => ({ ...column, name: "stickiness" })) },
    { kind: "area", interval: span.interval, whole: false, format: (value) => formatShare(value, 1) },
    `${formatShare(came!, known!)} on average`,
  );
}

/** The currencies of an answer, the one with most buckets first; "" is money without one. */
export function currenciesOf(rows: readonly AnswerRow[]): string[] {
  const buckets = new Map<string, number>();
  for (const row of rows) {
    const name = String(row["currency"] ?? "");
    buckets.set(name, (buckets.get(name) ?? 0) + 1);
  }
  return [...buckets.keys()].sort((left, right) => buckets.get(right)! - buckets.get(left)!);
}

export function drawRevenue(panel: Panel, rows: readonly AnswerRow[], span: Span, currency: string): void {
  const own = rows.filter((row) => String(row["currency"] ?? "") === currency);
  const money = (value: number, short: boolean): string => formatMoney(value, currency || null, short);
  const columns = spread(own, "revenue", undefined, span);
  const total = money(sum(columns.columns.flatMap((column) => column.values)), false);
  panel.draw(columns, { kind: "bars", interval: span.interval, whole: false, format: money }, total);
}
