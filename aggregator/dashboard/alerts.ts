// The page of the alerts: which rules fire, how the others stand, and what happened.
import type { AnswerRow } from "../read/question.ts";
import { showHistory, showRules, standingOf } from "./alerts-rows.ts";
import { ask } from "./ask.ts";
import { find, write } from "./element.ts";
import { formatMoment } from "./format.ts";
import { setStatus } from "./frame.ts";
import { keepRenewed } from "./renewal.ts";

const pageRows = 20;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let shownRows = pageRows;
let shownMark = "";

/** Asks for everything and draws it. */
async function load(signal: AbortSignal): Promise<void> {
  const [{ data, meta }, history] = await Promise.all([
    ask("alerts", { limit: "1000" }, signal),
    ask("alerts", { by: "transition", limit: String(shownRows) }, signal),
  ]);
  setStatus("live", "Live");
  write(find("as-of"), `As of ${formatMoment(meta.as_of, zone)} ${zone}`);
  showVerdict(data);
  find("empty").hidden = data.length > 0;
  find("rules-scroll").hidden = data.length === 0;
  showRules(data, zone, Date.parse(meta.as_of));
  find("more").hidden = history.meta.next_cursor == null;
  find("history-card").hidden = history.data.length === 0;
  // What did not change is not drawn again, so that a selection of text stays.
  const mark = JSON.stringify(history.data);
  if (mark === shownMark) return;
  shownMark = mark;
  showHistory(history.data, zone);
}

function showVerdict(rules: readonly AnswerRow[]): void {
  const count = (standing: string): number => rules.filter((row) => standingOf(row) === standing).length;
  const [firing, pending] = [count("firing"), count("pending")];
  const unsure = rules.filter((row) => row["is_judged"] !== true).length;
  const verdict = find("verdict");
  verdict.dataset["state"] =
    rules.length === 0 ? "idle" : firing > 0 ? "bad" : pending + unsure > 0 ? "waiting" : "ok";
  const calm = pending > 0 ? `${pending} pending` : unsure > 0 ? `${unsure} not judged` : "Nothing fires";
  write(verdict, rules.length === 0 ? "No rules yet" : firing > 0 ? `${firing} firing` : calm);
}

const reload = keepRenewed(load);
find("more").addEventListener("click", () => {
  shownRows = Math.min(1_000, shownRows + pageRows);
  reload();
});
