// The page of paths: what people did after one type of event, or before one, as a tree of steps.
import { ask, type Query } from "./ask.ts";
import { createCard } from "./card.ts";
import { knownTypes } from "./controls.ts";
import { createScroll } from "./data-table.ts";
import { find, make } from "./element.ts";
import { formatCount } from "./format.ts";
import { createTree, type PathRow } from "./paths-tree.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";

const choices = [
  {
    name: "toward",
    label: "Paths",
    options: [
      ["start", "begin with"],
      ["end", "end with"],
    ],
  },
  {
    name: "within",
    label: "Within",
    options: [
      ["30d", "30 days"],
      ["session", "one session"],
      ["1h", "1 hour"],
      ["1d", "1 day"],
      ["7d", "7 days"],
    ],
  },
  {
    name: "steps",
    label: "Steps",
    options: [
      ["4", "4"],
      ["2", "2"],
      ["3", "3"],
      ["5", "5"],
      ["6", "6"],
    ],
  },
  {
    name: "entry",
    label: "Of each person",
    options: [
      ["first", "the first path"],
      ["any", "every path"],
    ],
  },
  {
    name: "repeats",
    label: "Equal steps in a row",
    options: [
      ["once", "are one"],
      ["each", "are each one"],
    ],
  },
] as const;

/** More lines are read by nobody; the CSV has all that the API gives. */
const linesMax = 60;

export const pathsPage: QuestionPage = {
  lead: "What people did next, step by step, from one type of event on; or what led up to one.",
  offered: { users: true, types: true, own: choices, elsewhere: ["type"] },
  intervalOf: () => "day",
  build(controls) {
    const card = createCard(find("answer"), "Paths");
    card.sum("");
    const select = make("select", "");
    select.name = "type";
    select.addEventListener("change", () =>
      controls.choose({ own: { ...controls.view.own, type: select.value } }),
    );
    card.controls.append(make("label", "field", [make("span", "", "Event type"), select]));
    let known: { project: string; names: string[] } | undefined;
    return {
      cards: [card],
      async load(asked, signal) {
        const { own, project } = asked.view;
        if (known?.project !== project || known.names.length === 0) {
          known = { project, names: await knownTypes(asked.view) };
          if (signal.aborted) return undefined;
        }
        const type = own["type"] || known.names[0] || "";
        fill(select, known.names, type);
        const chosen: Record<string, string> = Object.fromEntries(
          choices.map(({ name, options }) => [name, own[name] || options[0][0]]),
        );
        const isBackward = chosen["toward"] === "end";
        delete chosen["toward"];
        // Without any event there is no type to ask for, and the answer says so.
        const query: Query = {
          ...asked.shared,
          ...chosen,
          [isBackward ? "end" : "start"]: type || "page_view",
        };
        card.link("paths", { ...query, limit: "1000" });
        const { data, meta } = await ask("paths", { ...query, limit: String(linesMax) }, signal);
        if (signal.aborted) return undefined;
        const rows = data as readonly unknown[] as readonly PathRow[];
        if (rows.length === 0) {
          tellEmpty(card, asked, meta, controls);
          return meta;
        }
        const shown = { isBackward, isAny: query["entry"] === "any", steps: Number(query["steps"]) };
        const people = rows[0]!.users === 1 ? "1 person" : `${formatCount(rows[0]!.users)} people`;
        const how = isBackward ? "came to" : "were at";
        const cut = rows.length < linesMax ? "" : ` The ${linesMax} most frequent paths; the CSV has more.`;
        card.body.replaceChildren(
          createScroll("Paths, step by step", [createTree(rows, shown)]),
          make("p", "under key", `${people} ${how} ${type}.${cut}`),
        );
        card.show();
        return meta;
      },
    };
  },
};

function fill(select: HTMLSelectElement, names: readonly string[], chosen: string): void {
  const offered = [...new Set([...names, ...(chosen === "" ? [] : [chosen])])];
  if (offered.join("\n") !== select.dataset["names"]) {
    select.dataset["names"] = offered.join("\n");
    select.replaceChildren(...offered.map((name) => new Option(name, name)));
  }
  select.value = chosen;
}
