// The table of quarantined events. Every value is text; nothing of an event is ever markup.
import { find, make } from "./element.ts";
import { formatMoment } from "./format.ts";

/** What the page uses of a row. */
export interface ListedRow {
  id: string;
  project: string;
  reason: string;
  pointer: string;
  detail: string;
  status: string;
  received_at: string;
}

export interface RowDoings {
  open(id: string): void;
  /** The choice has changed. */
  chosen(): void;
}

/** What people call the states. */
export const stateNames: Readonly<Record<string, string>> = {
  open: "open",
  retrying: "on its way",
  sent: "on its way",
  retried: "retried",
  discarded: "discarded",
};

/** Draws the rows anew; whoever stood on one of them with the keyboard stands there again. */
export function showRows(
  rows: readonly ListedRow[],
  chosen: Set<string>,
  zone: string,
  doings: RowDoings,
): void {
  const focused = document.activeElement?.id ?? "";
  find("rows").replaceChildren(...rows.map((row) => line(row, chosen, zone, doings)));
  if (/^(tick|show)-r?\d/.test(focused)) document.getElementById(focused)?.focus();
}

function line(row: ListedRow, chosen: Set<string>, zone: string, doings: RowDoings): HTMLElement {
  const tick = make("input", "");
  tick.type = "checkbox";
  tick.id = `tick-${row.id}`;
  tick.checked = chosen.has(row.id);
  tick.disabled = row.status !== "open";
  tick.setAttribute("aria-label", `Select event ${row.id}`);
  tick.addEventListener("change", () => {
    if (tick.checked) chosen.add(row.id);
    else chosen.delete(row.id);
    doings.chosen();
  });
  const state = make("span", "state", stateNames[row.status] ?? row.status);
  state.dataset["state"] = row.status;
  const show = make("button", "quiet", "Show");
  show.type = "button";
  show.id = `show-${row.id}`;
  show.setAttribute("aria-label", `Show event ${row.id}`);
  show.addEventListener("click", () => doings.open(row.id));
  const where = make("td", "clip pointer", row.pointer === "" ? "–" : row.pointer);
  where.title = row.pointer;
  const reason = make("td", "", [make("span", "type", row.reason)]);
  reason.title = row.detail;
  const choice = make("td", "tick", [tick]);
  choice.dataset["needs"] = "admin";
  return make("tr", "", [
    choice,
    make("td", "", formatMoment(row.received_at, zone)),
    reason,
    where,
    make("td", "clip", row.project),
    make("td", "", [state]),
    make("td", "", [show]),
  ]);
}
