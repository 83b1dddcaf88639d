// Rows of an answer that is split by something: the largest groups, each by itself.
import { make } from "./element.ts";
import { formatCount } from "./format.ts";

/** What people can be split by, as a choice of a page offers it. */
export const splits = [
  ["", "nothing"],
  ["country", "country"],
  ["city", "city"],
  ["device", "device"],
  ["app_version", "app version"],
] as const;

/** More of them one below the other are read by nobody; the CSV has all. */
const groupsMax = 12;

/**
 * What `draw` makes of each group's rows, under the group's name; of all rows where they are not split.
 * `sizeOf` orders the groups.
 */
export function drawGroups<Row extends { readonly breakdown?: unknown }>(
  rows: readonly Row[],
  sizeOf: (row: Row) => number,
  draw: (rows: readonly Row[], name: string) => HTMLElement,
): HTMLElement[] {
  if (rows.every(({ breakdown }) => breakdown === undefined)) return [draw(rows, "")];
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const name = row.breakdown === null ? "not told" : String(row.breakdown);
    const own = groups.get(name) ?? [];
    groups.set(name, own);
    own.push(row);
  }
  const total = (own: readonly Row[]): number => own.reduce((sum, row) => sum + sizeOf(row), 0);
  const totals = new Map([...groups].map(([name, own]) => [name, total(own)]));
  const names = [...groups.keys()].sort((left, right) => totals.get(right)! - totals.get(left)!);
  const shown = names
    .slice(0, groupsMax)
    .flatMap((name) => [make("h3", "group", name), draw(groups.get(name)!, name)]);
  const left = names.length - groupsMax;
  return left > 0
    ? [...shown, make("p", "under key", `${formatCount(left)} smaller groups are in the CSV.`)]
    : shown;
}
