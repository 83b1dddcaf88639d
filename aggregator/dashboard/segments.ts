// The page of segments: which countries, cities, devices, versions or types events came from.
import { ask } from "./ask.ts";
import { createCard } from "./card.ts";
import { createScroll, createTable } from "./data-table.ts";
import { find, make } from "./element.ts";
import { formatCount, formatMoney, formatShare } from "./format.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";

const by = {
  name: "by",
  label: "By",
  options: [
    ["country", "country"],
    ["city", "city"],
    ["device", "device"],
    ["app_version", "app version"],
    ["type", "event type"],
  ],
} as const;

const headings = [
  { text: "Segment" },
  { text: "Events" },
  { text: "Of these", isNumber: true },
  { text: "People", isNumber: true },
  { text: "Revenue, USD", isNumber: true },
];

interface Segment {
  value: string | null;
  events: number;
  active_users: number;
  revenue_usd: number;
}

export const segmentsPage: QuestionPage = {
  lead: "What events say of where they came from, the largest first. A person may be in several segments.",
  offered: { users: true, types: true, own: [by] },
  intervalOf: () => "day",
  build(controls) {
    const card = createCard(find("answer"), "Largest segments");
    card.sum("");
    return {
      cards: [card],
      async load(asked, signal) {
        const query = { ...asked.shared, by: asked.view.own["by"] || "country" };
        card.link("segments", query);
        const { data, meta } = await ask("segments", query, signal);
        if (signal.aborted) return undefined;
        if (data.length === 0) tellEmpty(card, asked, meta, controls);
        else {
          card.body.replaceChildren(
            createScroll("Segments", [tableOf(data as unknown as readonly Segment[])]),
          );
          card.show();
        }
        return meta;
      },
    };
  },
};

function tableOf(rows: readonly Segment[]): HTMLTableElement {
  const most = Math.max(...rows.map(({ events }) => events));
  const total = rows.reduce((sum, { events }) => sum + events, 0);
  const lines = rows.map(({ value, events, active_users, revenue_usd }) => {
    const fill = make("span", "bar-fill");
    fill.style.width = `${(events / most) * 100}%`;
    return [
      value ?? "not told",
      make("span", "bar-cell", [make("span", "bar-track", [fill]), make("b", "", formatCount(events))]),
      formatShare(events, total),
      formatCount(active_users),
      formatMoney(revenue_usd, "USD"),
    ];
  });
  const table = createTable("Segments", headings, lines);
  table.classList.add("funnel");
  return table;
}
