// Holds every figure of the retail facts to what the API answers.
import { askData, compare, compareWithFacts, type Difference, spanOf } from "../pipeline/retail-facts.ts";
import type { RetailFacts } from "../support/retail.ts";

interface Cohort {
  cohort: string;
  size: number;
  retained: number[];
}

/** All differences between the facts and the answers about a project at `url`, which must be settled. Empty is good. */
export async function differences(url: string, facts: RetailFacts, project: string): Promise<Difference[]> {
  const { funnel, cohort_month_identified: cohorts, sessions_30min_identified: sessions } = facts;
  const steps = `steps=${funnel.steps.join(",")}&window=${funnel.window_days}d`;
  const identified = `${spanOf(project)}&users=identified`;
  const [total] = await askData<{ sessions: number }>(url, `sessions?${identified}&interval=total`);
  const daily = await askData<{ sessions: number }>(url, `sessions?${identified}`);
  const found = [
    ...(await compareWithFacts(url, facts, project)),
    ...compare("sessions", counted([sessions]), counted([total?.sessions ?? 0])),
    ...compare("sessions by day", counted([sessions]), counted([sum(daily.map((row) => row.sessions))])),
  ];
  for (const entry of ["first", "any"] as const) {
    const rows = await askData<{ users: number }>(url, `funnel?${identified}&${steps}&entry=${entry}`);
    found.push(...compare(`funnel, ${entry}`, counted(funnel[entry]), counted(rows.map((row) => row.users))));
  }
  const retention = await askData<Cohort>(url, `retention?${identified}&interval=month`);
  const months = new Map(retention.map((row) => [row.cohort.slice(0, 7), row]));
  for (const month of new Set([...Object.keys(cohorts), ...months.keys()])) {
    const [wanted, row] = [cohorts[month] ?? [], months.get(month)];
    found.push(
      ...compare(`cohort of ${month}`, counted(wanted), counted(row?.retained ?? [])),
      ...compare(`size of ${month}`, counted([wanted[0] ?? 0]), counted([row?.size ?? 0])),
    );
    // A nought too many would not show in the figures.
    if (wanted.length !== row?.retained.length) throw new Error(`${month}: ${row?.retained.length} periods`);
  }
  return found;
}

const counted = (numbers: readonly number[]): Map<string, number> =>
  new Map(numbers.map((number, at) => [String(at).padStart(2, "0"), number]));

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
