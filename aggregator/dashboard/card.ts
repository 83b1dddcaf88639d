// A card of an answer: title, figure, the link to its CSV, its content, and what stands there instead.
import { askCsv, type Query, signedIn } from "./ask.ts";
import { make, write } from "./element.ts";

/** What stands in the content's place: nothing yet, nothing there, or what went wrong. */
export interface State {
  kind: "loading" | "empty" | "error";
  title: string;
  text?: string;
  code?: string;
  command?: string;
  action?: { label: string; run: () => void };
}

export interface Card {
  /** Beside the title. */
  readonly controls: HTMLElement;
  readonly body: HTMLElement;
  /** The one number that sums the card up; "" where there is none. */
  sum(text: string): void;
  /** The content is being asked for again. */
  busy(): void;
  tell(state: State): void;
  /** The content stands again. */
  show(): void;
  /** Names the question whose numbers are handed out. */
  link(question: string, query: Query): void;
}

/** Fills a section of the page. */
export function createCard(section: HTMLElement, title: string): Card {
  const heading = make("h2", "", title);
  heading.id = `${section.id}-title`;
  section.setAttribute("aria-labelledby", heading.id);
  const figure = make("p", "total", "–");
  const controls = make("div", "tools");
  const link = make("a", "quiet", "CSV");
  link.setAttribute("aria-label", `Download ${title.toLowerCase()} as CSV`);
  link.hidden = true;
  const head = make("div", "head", [
    make("div", "", [heading, figure]),
    make("div", "side", [controls, link]),
  ]);
  const body = make("div", "body");
  const instead = make("div", "state");
  section.append(head, body, instead);
  let asked: { question: string; query: Query } | undefined;

  // A link cannot carry a token: with one, the same address is fetched and handed over.
  link.addEventListener("click", async (event) => {
    if (signedIn() === undefined || asked === undefined) return;
    event.preventDefault();
    const handed = make("a", "");
    handed.href = URL.createObjectURL(await askCsv(asked.question, asked.query));
    handed.download = link.download;
    handed.click();
    URL.revokeObjectURL(handed.href);
  });

  const card: Card = {
    controls,
    body,
    sum(text) {
      write(figure, text);
      figure.hidden = text === "";
    },
    busy() {
      section.setAttribute("aria-busy", "true");
    },
    tell(state) {
      section.setAttribute("aria-busy", String(state.kind === "loading"));
      body.hidden = true;
      instead.hidden = false;
      if (state.kind !== "loading" && !figure.hidden) write(figure, "–");
      fillState(instead, state);
    },
    show() {
      section.setAttribute("aria-busy", "false");
      body.hidden = false;
      instead.hidden = true;
    },
    link(question, query) {
      asked = { question, query };
      link.hidden = false;
      link.href = `/v1/${question}?${new URLSearchParams({ ...query, format: "csv" })}`;
      link.download = `weir-${question}-${query["from"]}-${query["to"]}.csv`;
    },
  };
  card.tell({ kind: "loading", title: "Loading" });
  return card;
}

function fillState(element: HTMLElement, state: State): void {
  const { kind, title, text, code, command, action } = state;
  element.dataset["kind"] = kind;
  element.setAttribute("role", kind === "error" ? "alert" : "status");
  const parts: HTMLElement[] = [make("p", "state-title", title)];
  if (text) parts.push(make("p", "under", text));
  if (code) parts.push(make("p", "", [make("code", "code", code)]));
  if (command) {
    const block = make("pre", "", [make("code", "", command)]);
    block.tabIndex = 0;
    block.setAttribute("role", "group");
    block.setAttribute("aria-label", "The next command");
    parts.push(block);
  }
  if (action) {
    const button = make("button", "button", action.label);
    button.type = "button";
    button.addEventListener("click", action.run);
    parts.push(button);
  }
  element.replaceChildren(...parts);
}
