// Real input: the whole retail file where WEIR_TEST_DATA names its folder, else the sample kept here.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What any correct pipeline answers about the file. Revenue in thousandths. */
export interface RetailFacts {
  rows: number;
  stored_when_identity_is_event_id: number;
  stored_when_identity_is_content: number;
  duplicates_when_identity_is_content: number;
  by_type: Readonly<Record<string, number>>;
  active_days: number;
  daily: Readonly<
    Record<
      string,
      { events: number; active_users_identified: number; active_users_all: number; revenue_milli: number }
    >
  >;
  revenue_milli_total: number;
  revenue_milli_by_month: Readonly<Record<string, number>>;
  funnel: { steps: readonly string[]; window_days: number; first: readonly number[]; any: readonly number[] };
  sessions_30min_identified: number;
  /** By the month of a person's first event: how many had one in that month and in each behind it. */
  cohort_month_identified: Readonly<Record<string, readonly number[]>>;
}

export interface Retail {
  file: string;
  facts: RetailFacts;
  isSample: boolean;
}

/** The sample kept here: for tests of single parts, which more events would only slow down. */
export const retailSample = (): Retail =>
  read(join(import.meta.dirname, "../data/online_retail_sample"), true);

/** The file for the whole pipeline. Says which it is, so that a small run cannot be taken for a large one. */
export function retail(): Retail {
  const folder = process.env["WEIR_TEST_DATA"];
  const found = folder === undefined ? retailSample() : read(join(folder, "online_retail"), false);
  console.info(
    `retail data: ${found.isSample ? "the sample" : "the whole file"}, ${found.facts.rows} events`,
  );
  return found;
}

function read(base: string, isSample: boolean): Retail {
  if (!existsSync(`${base}.ndjson.gz`)) throw new Error(`there is no ${base}.ndjson.gz`);
  const facts = JSON.parse(readFileSync(`${base}.facts.json`, "utf8")) as RetailFacts;
  return { file: `${base}.ndjson.gz`, facts, isSample };
}
