// The page of active users: how many different people each day, week or month had.
import { ask } from "./ask.ts";
import { find } from "./element.ts";
import { createPanel } from "./panel.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";
import { drawStickiness, drawUsers } from "./series.ts";

/** Of which days a bucket counts the people: its own, or the last ones up to its end. */
const rolling = {
  name: "rolling",
  label: "People of",
  options: [
    ["", "Each bucket alone"],
    ["7d", "The last 7 days"],
    ["28d", "The last 28 days"],
    ["stickiness", "Stickiness over 28 days"],
  ],
} as const;

export const activeUsersPage: QuestionPage = {
  lead: "Different people with at least one event. Nobody is counted twice in a bucket.",
  offered: { interval: true, users: true, types: true, own: [rolling] },
  intervalOf: () => "day",
  build(controls) {
    const panel = createPanel(find("answer"), "Distinct people");
    return {
      cards: [panel],
      redraw: panel.redraw,
      async load(asked, signal) {
        const chosen = rolling.options.find(([value]) => value !== "" && value === asked.view.own["rolling"]);
        const isSticky = chosen?.[0] === "stickiness";
        const query = {
          ...asked.shared,
          interval: asked.interval,
          ...(chosen === undefined ? {} : { rolling: isSticky ? "28d" : chosen[0] }),
        };
        panel.link("active-users", query);
        const { data, meta } = await ask("active-users", query, signal);
        if (signal.aborted) return undefined;
        if (data.length === 0) tellEmpty(panel, asked, meta, controls);
        else if (isSticky) drawStickiness(panel, data, asked);
        else drawUsers(panel, data, asked);
        return meta;
      },
    };
  },
};
