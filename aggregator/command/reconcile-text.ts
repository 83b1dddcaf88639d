// The conservation line and what stands behind it, for a person.
import type { ReconcileAnswer } from "../ledger/reconcile.ts";

const number = (value: number): string => value.toLocaleString("en");

/** One line that adds up, then one for each thing that is wrong. */
export function reconcileText(answer: ReconcileAnswer): string {
  const rare = (["expired", "erased"] as const)
    .filter((name) => answer[name] > 0)
    .map((name) => ` + ${name} ${number(answer[name])}`)
    .join("");
  const line =
    `received ${number(answer.received)} = stored ${number(answer.stored)} + duplicate ${number(answer.duplicate)}` +
    ` + quarantined ${number(answer.quarantined)}${rare} (+ in flight ${number(answer.in_flight)}), lost ${number(answer.lost)}`;
  const faults = [
    answer.unreadable > 0
      ? `${number(answer.unreadable)} records of the log cannot be read; they are kept whole`
      : "",
    answer.reused > 0
      ? `${number(answer.reused)} records carry the id of another batch; they are kept whole`
      : "",
    ...answer.checks
      .filter((check) => !check.ok)
      .map((check) => `check ${check.name} fails: ${JSON.stringify(check.rows[0] ?? {})}`),
  ];
  return [line, ...faults.filter((fault) => fault !== "")].join("\n");
}
