// The page of funnels: the steps a person chooses, and how many people went how far.
import { ask } from "./ask.ts";
import { createCard } from "./card.ts";
import { knownTypes } from "./controls.ts";
import { createScroll } from "./data-table.ts";
import { find } from "./element.ts";
import { createBars, type Step } from "./funnel-bars.ts";
import { createSteps, stepsMin } from "./funnel-steps.ts";
import { splits } from "./groups.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";
import type { View } from "./view.ts";

const choices = [
  {
    name: "window",
    label: "Within",
    options: [
      ["30d", "30 days"],
      ["7d", "7 days"],
      ["1d", "1 day"],
      ["1h", "1 hour"],
      ["90d", "90 days"],
      ["session", "one session"],
    ],
  },
  {
    name: "entry",
    label: "Counted from",
    options: [
      ["first", "the first entry"],
      ["any", "any entry"],
    ],
  },
  {
    name: "order",
    label: "Between steps",
    options: [
      ["any", "anything"],
      ["strict", "no other step"],
    ],
  },
  {
    name: "breakdown",
    label: "Split by",
    options: splits,
  },
] as const;

export const funnelPage: QuestionPage = {
  lead: "How many people did one thing, then the next. Each step comes later than the one before it.",
  offered: { users: true, own: choices, elsewhere: ["steps"] },
  intervalOf: () => "day",
  build(controls) {
    const steps = createSteps(find("builder"), (types) =>
      controls.choose({ own: { ...controls.view.own, steps: types.join(",") } }),
    );
    const card = createCard(find("answer"), "People by step");
    card.sum("");
    let known: { project: string; types: Promise<string[]> } | undefined;
    const typesOf = (view: View): Promise<string[]> => {
      if (known?.project !== view.project) known = { project: view.project, types: knownTypes(view) };
      const { types } = known;
      // Where there were none yet, or none could be told, they are asked for again.
      const forget = (): void => {
        known = undefined;
      };
      types.then((names) => names.length === 0 && forget(), forget);
      return types;
    };
    return {
      cards: [card],
      async load(asked, signal) {
        const chosen = (asked.view.own["steps"] ?? "").split(",").filter((type) => type !== "");
        const offered = typesOf(asked.view).then((types) => {
          if (!signal.aborted) steps.show(chosen, types);
          return types;
        });
        if (chosen.length < stepsMin) {
          const isEmpty = (await offered).length === 0;
          card.tell({
            kind: "empty",
            title: isEmpty ? "No events yet" : "Choose at least two steps",
            text: "A funnel follows people from one type of event to the next.",
            ...(isEmpty ? { command: "./weir import events.ndjson" } : {}),
          });
          return undefined;
        }
        const own = Object.fromEntries(
          choices.map(({ name, options }) => [name, asked.view.own[name] || options[0][0]]),
        );
        if (own["breakdown"] === "") delete own["breakdown"];
        const query = { ...asked.shared, ...own, steps: chosen.join(",") };
        card.link("funnel", query);
        const [{ data, meta }] = await Promise.all([ask("funnel", query, signal), offered]);
        if (signal.aborted) return undefined;
        const rows = data as readonly unknown[] as readonly Step[];
        if (!rows.some(({ users }) => users > 0)) {
          tellEmpty(card, asked, meta, controls);
          return meta;
        }
        card.body.replaceChildren(createScroll("The funnel, step by step", createBars(rows)));
        card.show();
        return meta;
      },
    };
  },
};
