// The conservation line and what stands behind it, for a person.
import type { ReconcileAnswer } from "../ledger/reconcile.ts";

const number = (value: number): string => value.toLocaleString("en");

type Sums = Pick<
  ReconcileAnswer,
  "received" | "stored" | "duplicate" | "quarantined" | "expired" | "erased" | "in_flight"
>;

/** One line that adds up, one for each part that was asked for, then one for each thing that is wrong. */
export function reconcileText(answer: ReconcileAnswer): string {
  const line = `${sumsText(answer)}, lost ${number(answer.lost)}`;
  const parts = answer.groups.map((group) => {
    const name = group["project"] ?? group["hour"];
    const sums = sumsText(group as unknown as Sums);
    return name === undefined ? sums : `${name}  ${sums}`;
  });
  const entries = answer.entries.map(({ entry, what, acknowledged }) =>
    acknowledged === null
      ? `${entry}  ${what}`
      : `${entry}  ${what}; acknowledged by ${acknowledged.actor}, ${acknowledged.at.toISOString()}: ${acknowledged.note}`,
  );
  const faults = [
    answer.unreadable > 0
      ? `${number(answer.unreadable)} records or spools cannot be read; records of the log are kept whole`
      : "",
    answer.reused > 0
      ? `${number(answer.reused)} records carry the id of another batch; they are kept whole`
      : "",
    answer.too_old > 0
      ? `${number(answer.too_old)} records came too late to be told from counted ones; they are kept whole`
      : "",
    ...answer.unreadable_spools.map((why) => `a spool cannot be looked into: ${why}`),
    ...answer.checks
      .filter((check) => !check.ok)
      .map((check) => `check ${check.name} fails: ${JSON.stringify(check.rows[0] ?? {})}`),
  ];
  const reports = answer.reports.map(({ name, rows }) =>
    rows.length === 0
      ? `report ${name}: nothing`
      : `report ${name}: ${rows.map((row) => JSON.stringify(row)).join(" ")}`,
  );
  return [line, ...parts, ...faults.filter((fault) => fault !== ""), ...entries, ...reports].join("\n");
}

function sumsText(sums: Sums): string {
  const rare = (["expired", "erased"] as const)
    .filter((name) => sums[name] > 0)
    .map((name) => ` + ${name} ${number(sums[name])}`)
    .join("");
  return (
    `received ${number(sums.received)} = stored ${number(sums.stored)} + duplicate ${number(sums.duplicate)}` +
    ` + quarantined ${number(sums.quarantined)}${rare} (+ in flight ${number(sums.in_flight)})`
  );
}
