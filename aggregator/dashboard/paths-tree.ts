// Paths as a table that is indented like a tree: each step below the one it follows, the most people first.
import { createTable } from "./data-table.ts";
import { make } from "./element.ts";
import { formatCount, formatShare } from "./format.ts";

/** A row of the answer; every row's path but the first is one step longer than that of another. */
export interface PathRow {
  depth: number;
  path: readonly string[];
  users: number;
  times: number;
  ended: number;
}

export interface Shown {
  /** Paths that end with a type are read from there back. */
  isBackward: boolean;
  /** Whether a person may have taken a path more than once. */
  isAny: boolean;
  /** Steps that were asked for: those who got there were not followed any further. */
  steps: number;
}

interface Node {
  row: PathRow;
  next: Node[];
}

const indentPx = 18;

export function createTree(rows: readonly PathRow[], shown: Shown): HTMLTableElement {
  const all = rows[0]!.users;
  const lines = inOrder(treeOf(rows, shown.isBackward)).map(({ row }) => {
    const share = make("span", "bar-fill");
    share.style.width = `${(row.users / all) * 100}%`;
    return [
      nameOf(row, shown.isBackward),
      make("span", "bar-cell", [make("span", "bar-track", [share]), make("b", "", formatCount(row.users))]),
      formatShare(row.users, all),
      ...(shown.isAny ? [formatCount(row.times)] : []),
      row.depth === shown.steps ? "" : formatShare(row.ended, row.times),
    ];
  });
  const headings = [
    { text: shown.isBackward ? "Step, the last one first" : "Step" },
    { text: "People" },
    { text: "Of all", isNumber: true },
    ...(shown.isAny ? [{ text: "Times", isNumber: true }] : []),
    { text: shown.isBackward ? "Began here" : "Ended here", isNumber: true },
  ];
  const table = createTable("Paths", headings, lines);
  table.classList.add("funnel", "paths");
  return table;
}

/** The types of a row as they are read: away from the one that all paths share. */
const away = ({ path }: PathRow, isBackward: boolean): readonly string[] =>
  isBackward ? path.toReversed() : path;

// Rows come with what they follow before them.
function treeOf(rows: readonly PathRow[], isBackward: boolean): Node[] {
  const nodes = new Map<string, Node>();
  const roots: Node[] = [];
  for (const row of rows) {
    const path = away(row, isBackward);
    const node: Node = { row, next: [] };
    nodes.set(JSON.stringify(path), node);
    (nodes.get(JSON.stringify(path.slice(0, -1)))?.next ?? roots).push(node);
  }
  return roots;
}

const inOrder = (nodes: readonly Node[]): Node[] => nodes.flatMap((node) => [node, ...inOrder(node.next)]);

function nameOf(row: PathRow, isBackward: boolean): HTMLElement {
  const path = away(row, isBackward);
  const mark = make("span", "path-mark", isBackward ? "↑" : "↳");
  mark.setAttribute("aria-hidden", "true");
  const before = path.slice(0, -1).join(isBackward ? ", before that " : ", then ");
  const words = before === "" ? "" : `${before}${isBackward ? ", before that " : ", then "}`;
  const name = make("span", "path-step", [
    ...(row.depth === 1 ? [] : [mark]),
    make("span", "unseen", words),
    make("span", "", path.at(-1)!),
  ]);
  name.style.paddingInlineStart = `${Math.max(0, row.depth - 2) * indentPx}px`;
  return name;
}
