// A funnel as a table: a bar a step, the part of the first step, and the part of the one before.
import type { AnswerRow } from "../read/question.ts";
import { createTable } from "./data-table.ts";
import { make } from "./element.ts";
import { formatCount, formatShare } from "./format.ts";

const headings = [
  { text: "Step" },
  { text: "People" },
  { text: "Of the first", isNumber: true },
  { text: "Of the one before", isNumber: true },
];

/** Rows { step, type, users }, beside them the value they are split by, where they are. */
export function createBars(rows: readonly AnswerRow[]): HTMLElement[] {
  const split = Object.keys(rows[0]!).find((name) => !["step", "type", "users"].includes(name));
  const groups = new Map<string, AnswerRow[]>();
  for (const row of rows) {
    const name = split === undefined ? "" : row[split] === null ? "unknown" : String(row[split]);
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const most = Math.max(...rows.map((row) => Number(row["users"])));
  return [...groups].flatMap(([name, own]) => {
    const table = tableOf(name, own, most);
    return split === undefined ? [table] : [make("h3", "group", name), table];
  });
}

function tableOf(name: string, rows: readonly AnswerRow[], most: number): HTMLTableElement {
  const users = rows.map((row) => Number(row["users"]));
  const lines = rows.map((row, at) => {
    const bar = make("span", "bar-fill");
    bar.style.width = `${(users[at]! / most) * 100}%`;
    const step = make("span", "step-name", [
      make("b", "", `${at + 1}`),
      make("span", "", String(row["type"])),
    ]);
    return [
      step,
      make("span", "bar-cell", [make("span", "bar-track", [bar]), make("b", "", formatCount(users[at]!))]),
      formatShare(users[at]!, users[0]!),
      at === 0 ? "" : formatShare(users[at]!, users[at - 1]!),
    ];
  });
  const table = createTable(name === "" ? "The funnel" : `The funnel: ${name}`, headings, lines);
  table.classList.add("funnel");
  return table;
}
