// The table of the newest events.
import type { AnswerRow } from "../read/question.ts";
import { find, make } from "./element.ts";
import { formatMoment, formatMoney } from "./format.ts";

/** Rows that were not there at the last call are marked for a moment. */
export function createNewest(): (rows: readonly AnswerRow[], zone: string) => void {
  let known: Set<string> | undefined;
  return (rows, zone) => {
    const keys = rows.map((row) => JSON.stringify(row));
    const body = find("newest");
    body.replaceChildren(
      ...rows.map((row, at) => {
        const line = make("tr", known !== undefined && !known.has(keys[at]!) ? "fresh" : "", [
          make("td", "", formatMoment(String(row["event_time"]), zone)),
          make("td", "", [make("span", "type", String(row["type"]))]),
          personCell(row),
          textCell(row["country"]),
          moneyCell(row),
        ]);
        return line;
      }),
    );
    if (rows.length === 0) body.append(emptyRow());
    known = new Set(keys);
  };
}

function personCell(row: AnswerRow): HTMLElement {
  if (row["user_id"] !== null) return textCell(row["user_id"]);
  const cell = textCell(row["anonymous_id"]);
  if (row["anonymous_id"] !== null) cell.append(make("span", "hint", "anonymous"));
  return cell;
}

function textCell(value: AnswerRow[string] | undefined): HTMLElement {
  const cell = make("td", "clip", value === null || value === undefined ? "–" : String(value));
  cell.title = cell.textContent ?? "";
  return cell;
}

function moneyCell(row: AnswerRow): HTMLElement {
  const currency = row["currency"];
  const revenue = row["revenue"];
  const known = typeof currency === "string" ? currency : null;
  return make("td", "number", typeof revenue === "number" ? formatMoney(revenue, known) : "–");
}

function emptyRow(): HTMLElement {
  const cell = make("td", "under", "No events");
  cell.colSpan = 5;
  return make("tr", "", [cell]);
}
