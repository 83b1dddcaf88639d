// The page of completeness: what clients numbered, what of it arrived, and where the holes are.
import type { AnswerRow } from "../read/question.ts";
import { ask } from "./ask.ts";
import { may } from "./asker.ts";
import { formatPart, showGaps, showGroups } from "./completeness-rows.ts";
import { find, write } from "./element.ts";
import { formatCount, formatMoment } from "./format.ts";
import { setStatus } from "./frame.ts";
import { keepRenewed } from "./renewal.ts";

const pageRows = 50;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const by = find<HTMLSelectElement>("by");
let pages = 1;
let shownMark = "";

/** Asks for everything and draws it. */
async function load(signal: AbortSignal): Promise<void> {
  const [{ data, meta }, groups, gaps] = await Promise.all([
    ask("completeness", {}, signal),
    ask("completeness", { by: by.value }, signal),
    readGaps(signal),
  ]);
  setStatus("live", "Live");
  write(find("as-of"), `As of ${formatMoment(meta.as_of, zone)} ${zone}`);
  // What did not change is not drawn again, so that a selection of text stays.
  const mark = JSON.stringify([by.value, data, groups.data, gaps]);
  if (mark === shownMark) return;
  shownMark = mark;
  showTotal(data[0]!);
  write(find("by-name"), by.selectedOptions[0]!.text);
  showGroups(by.value, groups.data);
  showGaps(gaps.rows, zone);
  const isEmpty = Number(data[0]!["streams"]) === 0;
  find("empty").hidden = !isEmpty;
  find("groups-card").hidden = isEmpty;
  find("gaps-card").hidden = gaps.rows.length === 0;
  find("more").hidden = !gaps.hasMore;
}

// As many pages as are shown.
async function readGaps(signal: AbortSignal): Promise<{ rows: AnswerRow[]; hasMore: boolean }> {
  const rows: AnswerRow[] = [];
  // A stream is one person's device.
  if (!may("analyst")) return { rows, hasMore: false };
  let place: { cursor?: string } = {};
  for (let page = 0; page < pages; page += 1) {
    const { data, meta } = await ask(
      "completeness",
      { by: "stream", limit: String(pageRows), ...place },
      signal,
    );
    rows.push(...data);
    if (meta.next_cursor == null) return { rows, hasMore: false };
    place = { cursor: meta.next_cursor };
  }
  return { rows, hasMore: true };
}

function showTotal(total: AnswerRow): void {
  for (const term of find("equation").querySelectorAll<HTMLElement>(".term")) {
    const value = Number(total[term.dataset["term"]!] ?? 0);
    write(term.querySelector("dd")!, formatCount(value));
    term.toggleAttribute("data-nought", value === 0);
  }
  const [streams, gap] = [Number(total["streams"]), Number(total["gap"])];
  const verdict = find("verdict");
  verdict.dataset["state"] = streams === 0 ? "idle" : gap === 0 ? "ok" : "bad";
  const said = gap === 0 ? "No gap" : `${formatCount(gap)} missing`;
  write(verdict, streams === 0 ? "No streams yet" : said);
  if (streams === 0) return;
  const what = streams === 1 ? "1 stream" : `${formatCount(streams)} streams`;
  write(find("summary"), `${formatPart(total["completeness"])} of what ${what} numbered has arrived.`);
}

const reload = keepRenewed(load);
by.addEventListener("change", reload);
find("more").addEventListener("click", () => {
  pages += 1;
  reload();
});
