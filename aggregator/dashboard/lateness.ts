// The page of lateness: how long after they happened events were received, and how many came too late.
import type { AnswerRow } from "../read/question.ts";
import { ask } from "./ask.ts";
import { createCard } from "./card.ts";
import { spread } from "./columns.ts";
import { createScroll, createTable } from "./data-table.ts";
import { find, make } from "./element.ts";
import { formatCompact, formatCount, formatDuration, formatShare } from "./format.ts";
import { createPanel } from "./panel.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";

const allowed = {
  name: "allowed",
  label: "Late is later than",
  options: [
    ["1h", "1 hour"],
    ["1m", "1 minute"],
    ["5m", "5 minutes"],
    ["15m", "15 minutes"],
    ["6h", "6 hours"],
    ["1d", "1 day"],
    ["7d", "7 days"],
  ],
} as const;

/** The classes of an answer's row, in their order. */
const classes = [
  ["ahead", "ahead of the edge's clock"],
  ["to_1m", "up to 1 minute"],
  ["to_5m", "up to 5 minutes"],
  ["to_15m", "up to 15 minutes"],
  ["to_1h", "up to 1 hour"],
  ["to_6h", "up to 6 hours"],
  ["to_1d", "up to 1 day"],
  ["to_7d", "up to 7 days"],
  ["beyond_7d", "more"],
] as const;

const headings = [
  { text: "Received after" },
  { text: "Events" },
  { text: "Of all", isNumber: true },
  { text: "So far", isNumber: true },
];

export const latenessPage: QuestionPage = {
  lead: "How long after they happened events were received. The span is of when they were received.",
  offered: { own: [allowed] },
  intervalOf: () => "day",
  build(controls) {
    const card = createCard(find("answer"), "How late events came");
    const panel = createPanel(find("answer-2"), "Late events");
    return {
      cards: [card, panel],
      redraw: panel.redraw,
      async load(asked, signal) {
        const limit = asked.view.own["allowed"] || "1h";
        const query = { ...asked.shared, allowed: limit };
        card.link("lateness", { ...query, interval: "total" });
        panel.link("lateness", { ...query, interval: "hour" });
        const [{ data, meta }, total] = await Promise.all([
          ask("lateness", { ...query, interval: "day" }, signal),
          ask("lateness", { ...query, interval: "total" }, signal),
        ]);
        if (signal.aborted) return undefined;
        const [whole] = total.data;
        if (whole === undefined || whole["events"] === 0) {
          for (const each of [card, panel]) tellEmpty(each, asked, meta, controls);
          if (whole !== undefined) tellHistorical([card, panel], whole);
          return meta;
        }
        const [events, late] = [Number(whole["events"]), Number(whole["late"])];
        card.sum(`${formatShare(events - late, events)} in time`);
        card.body.replaceChildren(createScroll("Classes of lateness", [tableOf(whole)]), said(whole));
        card.show();
        const columns = spread(data, "late", undefined, asked);
        const named = columns.columns.map((column) => ({ ...column, name: "late events" }));
        const format = (value: number, short: boolean): string =>
          short ? formatCompact(value) : formatCount(value);
        panel.draw(
          { ...columns, columns: named },
          { kind: "bars", interval: "day", whole: true, format },
          formatCount(late),
        );
        return meta;
      },
    };
  },
};

function tableOf(whole: AnswerRow): HTMLTableElement {
  const counts = classes.map(([name]) => Number(whole[name]));
  const most = Math.max(...counts);
  const all = Number(whole["events"]);
  let before = 0;
  const lines = classes.map(([, text], at) => {
    const count = counts[at]!;
    before += count;
    const fill = make("span", "bar-fill");
    fill.style.width = `${(count / most) * 100}%`;
    fill.hidden = count === 0;
    return [
      text,
      make("span", "bar-cell", [make("span", "bar-track", [fill]), make("b", "", formatCount(count))]),
      formatShare(count, all),
      formatShare(before, all),
    ];
  });
  const table = createTable("Events by lateness", headings, lines);
  table.classList.add("funnel", "paths");
  return table;
}

function said(whole: AnswerRow): HTMLElement {
  const historical = Number(whole["historical"]);
  const apart = historical === 0 ? "" : ` ${formatCount(historical)} sent as historical are not counted.`;
  const latest = `The latest came ${formatDuration(Number(whole["max_lateness_sec"]))} after it happened.`;
  return make("p", "under key", `${latest}${apart}`);
}

function tellHistorical(cards: readonly ReturnType<typeof createCard>[], whole: AnswerRow): void {
  for (const card of cards) {
    card.tell({
      kind: "empty",
      title: "Nothing but old data",
      text: `${formatCount(Number(whole["historical"]))} events were sent as historical: they are late on purpose.`,
    });
  }
}
