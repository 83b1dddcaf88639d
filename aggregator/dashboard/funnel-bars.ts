// A funnel as a table: a bar a step, the part of the first step, and the part of the one before.
import { createTable } from "./data-table.ts";
import { make } from "./element.ts";
import { formatCount, formatShare } from "./format.ts";
import { drawGroups } from "./groups.ts";

/** A row of the answer: so many people came as far as this step; `breakdown` only where it is split. */
export interface Step {
  step: number;
  type: string;
  users: number;
  breakdown?: string | null;
}

const headings = [
  { text: "Step" },
  { text: "People" },
  { text: "Of first", isNumber: true },
  { text: "Of previous", isNumber: true },
];

export function createBars(rows: readonly Step[]): HTMLElement[] {
  const most = Math.max(...rows.map(({ users }) => users));
  const sizeOf = ({ step, users }: Step): number => (step === 1 ? users : 0);
  return drawGroups(rows, sizeOf, (own, name) => tableOf(name, own, most));
}

function tableOf(name: string, rows: readonly Step[], most: number): HTMLTableElement {
  const first = rows[0]!.users;
  const lines = rows.map(({ step, type, users }, at) => {
    const fill = make("span", "bar-fill");
    fill.style.width = `${(users / most) * 100}%`;
    fill.hidden = users === 0;
    return [
      make("span", "step-name", [make("b", "", String(step)), make("span", "", type)]),
      make("span", "bar-cell", [make("span", "bar-track", [fill]), make("b", "", formatCount(users))]),
      formatShare(users, first),
      at === 0 ? "" : formatShare(users, rows[at - 1]!.users),
    ];
  });
  const table = createTable(name === "" ? "The funnel" : `The funnel: ${name}`, headings, lines);
  table.classList.add("funnel");
  return table;
}
