// The page of retention: of the people who came first in one period, how many came back in each later one.
import { ask } from "./ask.ts";
import { createCard } from "./card.ts";
import { createSegments } from "./choice.ts";
import { createScroll } from "./data-table.ts";
import { find, make } from "./element.ts";
import { drawGroups, splits } from "./groups.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";
import { type Cohort, createTriangle } from "./triangle.ts";
import type { Interval } from "./view.ts";

const mode = {
  name: "mode",
  label: "A cohort is of",
  options: [
    ["first-time", "people seen for the first time"],
    ["recurring", "everybody active in it"],
  ],
} as const;

const breakdown = {
  name: "breakdown",
  label: "Split by",
  options: splits,
} as const;

export const retentionPage: QuestionPage = {
  lead: "Each row is a cohort, each column how many came back so many periods later.",
  offered: { interval: true, users: true, types: true, own: [mode, breakdown], elsewhere: ["show"] },
  range: "90d",
  // A triangle of more than some thirty columns is read by nobody.
  intervalOf: (days): Interval => (days <= 14 ? "day" : days <= 190 ? "week" : "month"),
  build(controls) {
    const card = createCard(find("answer"), "Cohorts");
    card.sum("");
    const options = [
      ["share", "Percent"],
      ["users", "People"],
    ] as const;
    const show = createSegments("Shown as", "show", options, (value) => {
      controls.choose({ own: { ...controls.view.own, show: value === "share" ? "" : value } });
    });
    card.controls.append(show.element);
    const place = createScroll("Retention by cohort", []);
    const key = make("p", "under key", "A cell with a dashed line is of a period that is not over yet.");
    card.body.append(place, key);
    return {
      cards: [card],
      async load(asked, signal) {
        const asShare = asked.view.own["show"] !== "users";
        show.set(asShare ? "share" : "users");
        const { mode: kind, breakdown: split } = asked.view.own;
        const query = {
          ...asked.shared,
          interval: asked.interval,
          mode: kind || "first-time",
          ...(split ? { breakdown: split } : {}),
        };
        card.link("retention", query);
        const { data, meta } = await ask("retention", query, signal);
        if (signal.aborted) return undefined;
        const cohorts = (data as readonly unknown[] as readonly Cohort[]).filter(({ size }) => size > 0);
        if (cohorts.length === 0) {
          tellEmpty(card, asked, meta, controls);
          return meta;
        }
        const { interval, view } = asked;
        const shown = { interval, asShare, today: meta.as_of, zone: view.zone };
        const size = (row: Cohort): number => row.size;
        place.replaceChildren(...drawGroups(cohorts, size, (own, name) => createTriangle(own, name, shown)));
        key.hidden = place.querySelector(".open") === null;
        card.show();
        return meta;
      },
    };
  },
};
