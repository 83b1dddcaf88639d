// The tables of completeness: groups of streams with how much of them arrived, and streams with their holes.
import type { AnswerRow } from "../read/question.ts";
import { find, make } from "./element.ts";
import { formatCount, formatDay } from "./format.ts";

/** The ratio in percent, rounded down, so that 100 % is said only where nothing is missing. */
export const formatPart = (ratio: unknown): string =>
  typeof ratio === "number" ? `${(Math.floor(ratio * 10_000) / 100).toFixed(2)} %` : "–";

/** Draws the groups; their names come from clients and are text. */
export function showGroups(by: string, rows: readonly AnswerRow[]): void {
  const lines = rows.map((row) => {
    const name = row[by];
    const isNamed = typeof name === "string" && name !== "";
    return make("tr", "", [
      make("td", isNamed ? "clip" : "clip absent", isNamed ? name : "not told"),
      count(row["streams"]),
      count(row["expected"]),
      count(row["declared_lost"]),
      gap(row["gap"]),
      make("td", "number", [
        document.createTextNode(formatPart(row["completeness"])),
        part(row["completeness"]),
      ]),
    ]);
  });
  find("groups").replaceChildren(...lines);
}

/** Draws the streams with a gap. */
export function showGaps(rows: readonly AnswerRow[], zone: string): void {
  const lines = rows.map((row) => {
    const shown = String(row["missing"] ?? "");
    const more = Number(row["missing_ranges"]) - (shown === "" ? 0 : shown.split(", ").length);
    const stream = make("td", "clip", String(row["stream_id"]));
    stream.title = String(row["stream_id"]);
    return make("tr", "", [
      make("td", "", formatDay(String(row["last_time"]), zone)),
      make("td", "clip", String(row["project"])),
      stream,
      gap(row["gap"]),
      make("td", "missing", more > 0 ? `${shown} and ${formatCount(more)} more ranges` : shown),
    ]);
  });
  find("gaps").replaceChildren(...lines);
}

const count = (value: unknown): HTMLElement => make("td", "number", formatCount(Number(value ?? 0)));

const gap = (value: unknown): HTMLElement =>
  make("td", Number(value) > 0 ? "number has-gap" : "number", formatCount(Number(value ?? 0)));

function part(ratio: unknown): HTMLElement {
  const filled = make("span", "");
  filled.style.width = `${100 * Number(ratio ?? 0)}%`;
  const bar = make("span", "part", [filled]);
  bar.setAttribute("aria-hidden", "true");
  return bar;
}
