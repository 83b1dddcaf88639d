// The conservation line: the equation, its verdict, and how the received events are shared out.
import type { Answer } from "../read/answer.ts";
import type { AnswerRow } from "../read/question.ts";
import { find, make, write } from "./element.ts";
import { formatCount } from "./format.ts";

const outcomes = ["stored", "duplicate", "quarantined", "expired", "erased", "in_flight"] as const;
/** Outcomes that are shown only where there are any. */
const rare: readonly string[] = ["expired", "erased"];

/** What the line says in a word, for its colour, and in a sentence. */
export interface Verdict {
  state: "ok" | "waiting" | "bad" | "idle";
  text: string;
}

/** Judges the counts: equal sides are not enough while something of the log could not be read. */
export function judge(row: AnswerRow, meta: Answer["meta"]): Verdict {
  const count = (name: string): number => Number(row[name] ?? 0);
  const accounted = outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const missing = count("received") - accounted;
  if (missing !== 0)
    return { state: "bad", text: `${formatCount(Math.abs(missing))} events unaccounted for` };
  const unreadable = meta["unreadable"];
  if (typeof unreadable === "string") return { state: "bad", text: `Not readable: ${unreadable}` };
  const unread = Number(meta["unread_records"] ?? 0);
  if (unread > 0)
    return { state: "waiting", text: `Catching up, ${formatCount(unread)} more records in the log` };
  const inFlight = count("in_flight");
  if (inFlight > 0) return { state: "waiting", text: `Accounted for, ${formatCount(inFlight)} in flight` };
  if (count("received") === 0) return { state: "idle", text: "Nothing received yet" };
  return { state: "ok", text: "Every event accounted for" };
}

/** Writes the line; nothing moves where nothing changed. */
export function showConservation(row: AnswerRow, meta: Answer["meta"]): void {
  for (const term of find("equation").querySelectorAll<HTMLElement>(".term")) {
    const name = term.dataset["term"]!;
    const count = Number(row[name] ?? 0);
    write(term.querySelector("dd")!, formatCount(count));
    term.hidden = rare.includes(name) && count === 0;
    term.toggleAttribute("data-nought", count === 0);
  }
  const verdict = judge(row, meta);
  const element = find("verdict");
  element.dataset["state"] = verdict.state;
  write(element, verdict.text);
  showShare(row);
}

function showShare(row: AnswerRow): void {
  const share = find("share");
  for (const outcome of outcomes) {
    const part = share.querySelector<HTMLElement>(`[data-term=${outcome}]`) ?? make("span", "");
    part.dataset["term"] = outcome;
    const count = Number(row[outcome] ?? 0);
    part.hidden = count === 0;
    part.style.flexGrow = String(count);
    if (part.parentElement === null) share.append(part);
  }
}
