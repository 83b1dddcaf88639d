// The page of the quarantine: what was refused, why, and what to do with it.
import { Refusal, request } from "./ask.ts";
import { find, write } from "./element.ts";
import { formatCount, formatMoment } from "./format.ts";
import { askToken, takeToken } from "./frame.ts";
import { type Change, createConfirm } from "./quarantine-confirm.ts";
import { createDetail } from "./quarantine-detail.ts";
import { type ChangeAnswer, changeText } from "./quarantine-outcome.ts";
import { showReasons } from "./quarantine-reasons.ts";
import { type ListedRow, showRows } from "./quarantine-rows.ts";

/** A page of rows as the API answers it. */
interface Page {
  data: ListedRow[];
  meta: {
    as_of: string;
    next_cursor: string | null;
    sums: { reason: string; status: string; events: number }[];
    records: { reason: string; status: string; records: number }[];
  };
}

const pollMs = 5_000;
const pageRows = "100";
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const show = find<HTMLSelectElement>("show");
const chosen = new Set<string>();
let reason = "";
let rows: ListedRow[] = [];
let pages = 1;
let shownMark = "";
let isFailing = false;
/** This role reads nothing here, however often it asks. */
let isForbidden = false;

/** Reads as many pages as are shown, and draws them where something changed. */
async function load(): Promise<void> {
  const filter: Record<string, string> = { limit: pageRows };
  if (show.value !== "") filter["status"] = show.value;
  if (reason !== "") filter["reason"] = reason;
  const asked = JSON.stringify(filter);
  const found: ListedRow[] = [];
  let next: string | null = null;
  let page = await read(filter);
  // The sums are those of every reason, so that another one can be chosen.
  const { reason: _, ...all } = filter;
  const { sums: events, records } = reason === "" ? page.meta : (await read({ ...all, limit: "1" })).meta;
  // A record kept whole is one row, too.
  const whole = records.filter(({ status }) => show.value === "" || show.value === status);
  const sums = [...events, ...whole.map(({ records: count, ...one }) => ({ ...one, events: count }))];
  for (let turn = 1; ; turn += 1) {
    found.push(...page.data);
    next = page.meta.next_cursor;
    if (next === null || turn >= pages) break;
    page = await read({ ...filter, cursor: next });
  }
  if (isFailing) find("notice").hidden = true;
  isFailing = false;
  isForbidden = false;
  setStatus("live", "Live");
  write(find("as-of"), `As of ${formatMoment(page.meta.as_of, zone)} ${zone}`);
  const mark = JSON.stringify([asked, found, sums, next]);
  if (mark === shownMark) return;
  shownMark = mark;
  rows = found;
  draw(sums, next !== null);
}

const read = async (filter: Record<string, string>): Promise<Page> =>
  (await (await request(`quarantine?${new URLSearchParams(filter)}`)).json()) as Page;

function draw(sums: Page["meta"]["sums"], hasMore: boolean): void {
  const total = sums.reduce((sum, { events }) => sum + events, 0);
  write(find("summary"), total === 1 ? "1 event" : `${formatCount(total)} events`);
  showReasons(sums, reason, (wanted) => {
    reason = wanted;
    again();
  });
  for (const id of chosen) if (!rows.some((row) => row.id === id && row.status === "open")) chosen.delete(id);
  showRows(rows, chosen, zone, { open: (id) => void guarded(() => detail.open(id)), chosen: showChosen });
  find("empty").hidden = rows.length > 0;
  find("table").hidden = rows.length === 0;
  find("tools").hidden = !rows.some((row) => row.status === "open");
  find("more").hidden = !hasMore;
  showChosen();
}

function showChosen(): void {
  const count = chosen.size;
  write(find("chosen"), count === 0 ? "None selected" : `${formatCount(count)} selected`);
  for (const id of ["retry", "discard"]) find<HTMLButtonElement>(id).disabled = count === 0;
  const open = rows.filter((row) => row.status === "open");
  const all = find<HTMLInputElement>("all");
  all.checked = open.length > 0 && open.every((row) => chosen.has(row.id));
  all.indeterminate = !all.checked && count > 0;
  all.disabled = open.length === 0;
}

const confirm = createConfirm(async (change) => {
  try {
    const answer = await send(change);
    tell(answer.text, answer.ok);
    for (const id of change.ids) chosen.delete(id);
    shownMark = "";
    detail.close();
    await load();
  } catch (error) {
    showFailure(error);
  }
});

const detail = createDetail(zone, (kind, row) => confirm.ask(kind, [row]));

async function send(change: Change): Promise<{ ok: boolean; text: string }> {
  const { kind, ids, asNew, why } = change;
  const body = kind === "retry" ? { ids, as_new: asNew } : { ids, why };
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await request(`quarantine/${kind}`, init, undefined, 60_000);
  const answer = (await response.json()) as ChangeAnswer;
  return { ok: answer.ok, text: changeText(kind, answer) };
}

function tell(text: string, isGood: boolean): void {
  const notice = find("notice");
  notice.hidden = false;
  notice.dataset["state"] = isGood ? "good" : "bad";
  write(notice, text);
}

function setStatus(state: string, text: string): void {
  find("status").dataset["state"] = state;
  write(find("status-text"), text);
}

function showFailure(error: unknown): void {
  if (error instanceof Refusal && error.status === 401) {
    askToken();
    return;
  }
  const refusal = error instanceof Refusal ? error : new Refusal(0, "The page failed", String(error));
  isFailing = true;
  isForbidden = refusal.status === 403;
  if (isForbidden) setStatus("locked", "Not allowed");
  else setStatus("failed", "Not connected");
  if (rows.length === 0) write(find("summary"), "Not loaded");
  tell(`${refusal.title}. ${refusal.message}`, false);
}

async function guarded(work: () => Promise<void>): Promise<void> {
  await work().catch(showFailure);
}

function again(): void {
  pages = 1;
  chosen.clear();
  void guarded(load);
}

show.addEventListener("change", again);
find("more").addEventListener("click", () => {
  pages += 1;
  void guarded(load);
});
find("all").addEventListener("change", (event) => {
  const { checked } = event.target as HTMLInputElement;
  chosen.clear();
  if (checked) for (const row of rows) if (row.status === "open") chosen.add(row.id);
  shownMark = "";
  void guarded(load);
});
const ask = (kind: "retry" | "discard"): void =>
  confirm.ask(
    kind,
    rows.filter((row) => chosen.has(row.id)),
  );
find("retry").addEventListener("click", () => ask("retry"));
find("discard").addEventListener("click", () => ask("discard"));
takeToken(() => {
  find("notice").hidden = true;
  void guarded(load);
});
setInterval(() => {
  if (!document.hidden && !isForbidden && !find<HTMLDialogElement>("token").open) void guarded(load);
}, pollMs);
void guarded(load);
