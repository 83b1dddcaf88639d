// The tables of the alerts: rules with how they stand, and when they began and ended to fire. All of it is text.
import type { AnswerRow } from "../read/question.ts";
import { find, make } from "./element.ts";
import { formatAge, formatCount, formatMoment } from "./format.ts";

/** What people call the states; a rule that is bad, but not for long enough, is pending. */
export const standingOf = (row: AnswerRow): string =>
  typeof row["pending_since"] === "string" ? "pending" : String(row["state"]);

const order = ["firing", "pending", "resolved", "ok"];

/** Draws the rules, those that fire first; `now` is when they were asked for, epoch ms. */
export function showRules(rows: readonly AnswerRow[], zone: string, now: number): void {
  const place = (row: AnswerRow): number => order.indexOf(standingOf(row));
  const sorted = [...rows].sort((left, right) => place(left) - place(right));
  find("rules").replaceChildren(...sorted.map((row) => ruleLine(row, zone, now)));
}

function ruleLine(row: AnswerRow, zone: string, now: number): HTMLElement {
  const name = make("b", "", String(row["rule"]));
  if (row["severity"] === "page") name.append(" ", make("span", "page", "page"));
  const about = make("td", "about", [name, make("span", "", String(row["summary"]))]);
  const found = make("td", row["is_judged"] === true ? "found" : "found unsure", String(row["detail"]));
  const waiting = Number(row["undelivered"]);
  if (waiting > 0) found.append(make("div", "undelivered", `${formatCount(waiting)} not at the webhook yet`));
  return make("tr", "", [
    make("td", "", [standing(standingOf(row))]),
    about,
    found,
    make("td", "", formatMoment(String(row["pending_since"] ?? row["since"]), zone)),
    make("td", "", formatAge(now - Date.parse(String(row["evaluated_at"])))),
  ]);
}

/** Draws what happened, the newest first. */
export function showHistory(rows: readonly AnswerRow[], zone: string): void {
  const lines = rows.map((row) =>
    make("tr", "", [
      make("td", "", formatMoment(String(row["at"]), zone)),
      make("td", "", [standing(String(row["state"]))]),
      make("td", "", String(row["rule"])),
      make("td", "found", String(row["detail"])),
      delivery(row),
    ]),
  );
  find("history").replaceChildren(...lines);
}

function standing(state: string): HTMLElement {
  const pill = make("span", "standing", state);
  pill.dataset["state"] = state;
  return pill;
}

const deliveries: Readonly<Record<string, string>> = {
  none: "–",
  waiting: "waiting",
  delivered: "delivered",
  gone: "gone",
  given_up: "given up",
};

function delivery(row: AnswerRow): HTMLElement {
  const outcome = String(row["delivery"]);
  const isWell = outcome === "delivered" || outcome === "none";
  const fault = isWell || row["last_fault"] === null ? "" : `: ${row["last_fault"]}`;
  const tries = Number(row["attempts"]);
  const times =
    isWell || tries === 0 ? "" : `, tried ${tries === 1 ? "once" : `${formatCount(tries)} times`}`;
  return make("td", isWell ? "absent" : "undelivered", `${deliveries[outcome] ?? outcome}${times}${fault}`);
}
