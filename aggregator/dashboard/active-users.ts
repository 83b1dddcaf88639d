// The page of active users: how many different people each day, week or month had.
import { ask } from "./ask.ts";
import { find } from "./element.ts";
import { createPanel } from "./panel.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";
import { drawUsers } from "./series.ts";

export const activeUsersPage: QuestionPage = {
  lead: "Different people with at least one event. Nobody is counted twice in a bucket.",
  offered: { interval: true, users: true, types: true },
  intervalOf: () => "day",
  build(controls) {
    const panel = createPanel(find("answer"), "Distinct people");
    return {
      cards: [panel],
      redraw: panel.redraw,
      async load(asked, signal) {
        const query = { ...asked.shared, interval: asked.interval };
        panel.link("active-users", query);
        const { data, meta } = await ask("active-users", query, signal);
        if (signal.aborted) return undefined;
        if (data.length === 0) tellEmpty(panel, asked, meta, controls);
        else drawUsers(panel, data, asked);
        return meta;
      },
    };
  },
};
