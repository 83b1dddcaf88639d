// The overview: asks for the conservation line once a second, and for the rest when something was stored.
import type { Answer } from "../read/answer.ts";
import { createAlertsLine } from "./alerts-banner.ts";
import { ask } from "./ask.ts";
import { may } from "./asker.ts";
import { createCharts } from "./charts.ts";
import { showConservation } from "./conservation.ts";
import { createControls } from "./controls.ts";
import { find, write } from "./element.ts";
import { formatMoment } from "./format.ts";
import { setStatus, showFailure, takeToken } from "./frame.ts";
import { createLive } from "./live.ts";
import { createNewest } from "./newest.ts";
import { offerProof } from "./proof.ts";
import { createTiles } from "./tiles.ts";
import { addDays, dayOf, type RangeName, rangeOf } from "./view.ts";

/** What was stored is to be seen within two seconds, on a busy machine too. */
const pollMs = 500;
/** A page nobody looks at asks seldom. */
const hiddenPollMs = 15_000;
/** Charts rest this many times as long as they took beyond what is cheap; cheap ones follow every poll. */
const restFactor = 3;
const cheapMs = 400;

let endWait: () => void = () => {};
let woken = false;
let drawing: AbortController | undefined;
let shownMark = "";
let drawnMark = "";
let restUntil = 0;
const controls = createControls({ interval: true, users: true, elsewhere: ["currency"] }, () => {
  drawing?.abort();
  restUntil = 0;
  drawnMark = "";
  wake();
});
const charts = createCharts(controls);
const tiles = createTiles();
const showNewest = createNewest();
const showLive = createLive();
const showAlerts = createAlertsLine();
const project = (): Record<string, string> =>
  controls.view.project === "" ? {} : { project: controls.view.project };

async function poll(): Promise<void> {
  const { data, meta } = await ask("ledger", project());
  const row = data[0]!;
  showConservation(row, meta);
  tiles.showNow(Number(row["stored"]), meta, controls.view.zone, performance.now());
  write(find("as-of"), `As of ${formatMoment(meta.as_of, controls.view.zone)} ${controls.view.zone}`);
  setStatus("live", "Live");
  // Not waited for; whatever ails it, the ledger's own question tells.
  void showAlerts().catch(() => {});
  const isEmpty = row["received"] === 0 && meta.watermark === null && meta["unread_records"] === 0;
  find("welcome").hidden = !isEmpty;
  find("content").hidden = isEmpty;
  if (isEmpty) return;
  showLive({ users: controls.view.users === "identified" ? "identified" : "all", ...project() });
  await refresh(row, meta);
}

/** Everything but the line is asked for again only when it can have changed. */
async function refresh(row: Answer["data"][number], meta: Answer["meta"]): Promise<void> {
  const range = rangeOf(controls.view, meta.watermark);
  controls.reflect(range, controls.view.interval ?? "day");
  const today = dayOf(new Date(), controls.view.zone);
  const mark = JSON.stringify([
    row["stored"],
    meta["newest_stored_at"],
    meta.watermark,
    today,
    controls.view,
  ]);
  const days = mark === shownMark ? undefined : showDays(today);
  // Not waited for: the line goes on while a long range is counted.
  const isDrawing = drawing !== undefined && !drawing.signal.aborted;
  const newest = String(meta["newest_stored_at"] ?? "");
  if (mark !== drawnMark && !isDrawing && performance.now() >= restUntil)
    void drawCharts(range, mark, newest);
  if (days === undefined) return;
  // An answer may be of shortly before the newest event; then it is asked for again.
  if ((await days) > newest) shownMark = mark;
}

async function drawCharts(range: RangeName, mark: string, newest: string): Promise<void> {
  const began = performance.now();
  const mine = new AbortController();
  drawing = mine;
  try {
    const asOf = await charts.draw(range, mine.signal);
    if (mine.signal.aborted) return;
    // The first time also makes the charts and opens connections, which says nothing of the next.
    const tookMs = drawnMark === "" ? 0 : performance.now() - began;
    if (asOf > newest) drawnMark = mark;
    restUntil = performance.now() + restFactor * Math.max(0, tookMs - cheapMs);
  } catch (error) {
    if (!mine.signal.aborted) showFailure(error);
  } finally {
    if (drawing === mine) drawing = undefined;
  }
}

/** Answers up to when all it shows is right. */
async function showDays(today: string): Promise<string> {
  const { zone, users } = controls.view;
  const days = { from: addDays(today, -1), to: today, tz: zone, ...project() };
  const [events, people, newest] = await Promise.all([
    ask("events", days),
    ask("active-users", { ...days, users }),
    may("analyst") ? ask("newest", project()) : undefined,
  ]);
  tiles.showDays(events.data, people.data, today);
  if (newest !== undefined) showNewest(newest.data, zone);
  return [events, people].map(({ meta }) => meta.as_of).sort()[0]!;
}

function showCommand(): void {
  const edge = document.querySelector<HTMLMetaElement>("meta[name=weir-edge]")?.content;
  const url = edge || `${location.protocol}//${location.hostname}:8787`;
  const event = `{"events":[{"type":"signup","user_id":"ada"}]}`;
  const headers = ['-H "authorization: Bearer $WRITE_KEY"', '-H "content-type: application/json"'];
  const lines = [`curl ${url}/v1/events`, ...headers, `-d '${event}'`];
  const command = lines.join(" \\\n  ");
  write(find("welcome-command"), command);
  find("welcome-copy").addEventListener("click", async () => {
    await navigator.clipboard.writeText(command);
    write(find("welcome-copy"), "Copied");
  });
}

async function offerProjects(): Promise<void> {
  const { data } = await ask("ledger", { by: "project" });
  controls.offerProjects(data.map((row) => String(row["project"])));
}

async function run(): Promise<never> {
  for (let turn = 0; ; turn += 1) {
    const began = performance.now();
    try {
      if (turn % 30 === 0) await offerProjects();
      await poll();
    } catch (error) {
      showFailure(error);
      turn = -1;
    }
    const waitMs = Math.max(0, (document.hidden ? hiddenPollMs : pollMs) - (performance.now() - began));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, woken ? 0 : waitMs);
      endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    woken = false;
  }
}

/** Polls now; a poll under way is followed by another at once. */
function wake(): void {
  woken = true;
  endWait();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.redraw());
document.addEventListener("visibilitychange", () => wake());
showCommand();
takeToken(wake);
offerProof(() => controls.view.zone, showFailure);
void run();
