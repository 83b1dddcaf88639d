// Compares what the API answers about the retail file with what any correct pipeline must answer.
import type { RetailFacts } from "../support/retail.ts";

/** One answer that differs: where, what the facts say, and what was answered. */
export interface Difference {
  question: string;
  bucket: string;
  wanted: number;
  answered: number;
}

type Row = Readonly<Record<string, string | number>>;

/** A project, and the span of the file; the facts' days are UTC. */
export const spanOf = (project: string): string => `project=${project}&from=2010-12-01&to=2011-12-31&tz=UTC`;

/**
 * Asks every day's events and people, every day's and month's revenue, over HTTP at `baseUrl`. Empty is
 * good. A bucket without an answer counts as nought, and one the facts do not know is a difference too.
 */
export async function compareWithFacts(
  baseUrl: string,
  facts: RetailFacts,
  project = "default",
): Promise<Difference[]> {
  const span = spanOf(project);
  const ask = (path: string): Promise<Row[]> => askData(baseUrl, path);
  const daily = (fact: keyof RetailFacts["daily"][string]): Map<string, number> =>
    new Map(Object.entries(facts.daily).map(([day, values]) => [day, values[fact]]));
  const monthly = Object.entries(facts.revenue_milli_by_month);
  const types = Object.entries(facts.by_type);
  const events = await ask(`events?${span}`);
  return [
    ...compare("events", daily("events"), added(events, "bucket", "events")),
    ...compare("events by type", new Map(types), added(events, "type", "events")),
    ...compare(
      "active users, all",
      daily("active_users_all"),
      added(await ask(`active-users?${span}&users=all`), "bucket", "active_users"),
    ),
    ...compare(
      "active users, identified",
      daily("active_users_identified"),
      added(await ask(`active-users?${span}&users=identified`), "bucket", "active_users"),
    ),
    ...compare("revenue by day", daily("revenue_milli"), inThousandths(await ask(`revenue?${span}`))),
    ...compare(
      "revenue by month",
      new Map(monthly.map(([month, revenue]) => [`${month}-01`, revenue])),
      inThousandths(await ask(`revenue?${span}&interval=month`)),
    ),
  ];
}

/** The rows that a question of this path and query is answered with; rejects where it is not. */
export async function askData<Data>(baseUrl: string, path: string): Promise<Data[]> {
  const response = await fetch(new URL(`/v1/${path}`, baseUrl));
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { data: Data[] }).data;
}

function added(rows: readonly Row[], key: string, value: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) sums.set(String(row[key]), (sums.get(String(row[key])) ?? 0) + Number(row[value]));
  return sums;
}

// An answer's number must be exact to the thousandth, so what is left after rounding is a fault of its own.
function inThousandths(rows: readonly Row[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const row of rows) {
    const revenue = Number(row["revenue"]);
    const milli = Math.round(revenue * 1000);
    if (milli / 1000 !== revenue) throw new Error(`${row["bucket"]}: ${revenue} is not exact`);
    sums.set(String(row["bucket"]), (sums.get(String(row["bucket"])) ?? 0) + milli);
  }
  return sums;
}

/** What of the answers is not as the facts have it; a bucket that only one of them has is nought in the other. */
export function compare(
  question: string,
  facts: ReadonlyMap<string, number>,
  answers: ReadonlyMap<string, number>,
): Difference[] {
  const buckets = [...new Set([...facts.keys(), ...answers.keys()])].sort();
  return buckets
    .map((bucket) => ({
      question,
      bucket,
      wanted: facts.get(bucket) ?? 0,
      answered: answers.get(bucket) ?? 0,
    }))
    .filter((each) => each.wanted !== each.answered);
}
