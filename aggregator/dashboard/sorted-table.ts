// A table whose rows are put in order by the column that a person chooses.
import { createTable, type Heading } from "./data-table.ts";
import { make } from "./element.ts";

/** A column: what a row shows in it, and what it is put in order by. */
export interface SortedColumn<Row> extends Heading {
  cell(row: Row): string | Node;
  /** Texts go from a to z at first, numbers from the largest on. */
  order(row: Row): string | number;
}

/** What a person chose; "" is the order in which the rows came. */
export interface SortChoice {
  column: string;
  isTurned: boolean;
}

/** `chosen` is told what was pressed; a column pressed again is turned around. */
export function createSortedTable<Row>(
  caption: string,
  columns: readonly SortedColumn<Row>[],
  rows: readonly Row[],
  sort: SortChoice,
  chosen: (sort: SortChoice) => void,
): HTMLTableElement {
  const by = columns.find(({ text }) => text === sort.column);
  const ordered = by === undefined ? rows : rows.toSorted((one, other) => compare(by, one, other, sort));
  const lines = ordered.map((row) => columns.map(({ cell }) => cell(row)));
  const table = createTable(caption, columns, lines);
  for (const [at, head] of [...table.tHead!.rows[0]!.cells].entries()) {
    const { text, isNumber } = columns[at]!;
    const isBy = text === sort.column;
    const isUp = isBy && sort.isTurned === (isNumber === true);
    if (isBy) head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const button = make("button", "sort", text);
    button.type = "button";
    const mark = make("span", "sort-mark", isBy ? (isUp ? "↑" : "↓") : "");
    mark.setAttribute("aria-hidden", "true");
    button.append(mark);
    button.addEventListener("click", () => chosen({ column: text, isTurned: isBy && !sort.isTurned }));
    head.replaceChildren(button);
  }
  return table;
}

function compare<Row>(by: SortedColumn<Row>, one: Row, other: Row, { isTurned }: SortChoice): number {
  const [left, right] = [by.order(one), by.order(other)];
  const order =
    typeof left === "number" && typeof right === "number"
      ? right - left
      : String(left).localeCompare(String(right), "en");
  return isTurned ? -order : order;
}
