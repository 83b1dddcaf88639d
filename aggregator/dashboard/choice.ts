// A choice of few, as buttons of which one is down or as a list, and a choice of many as a menu of ticks.
import { make, write } from "./element.ts";

export type Option = readonly [value: string, text: string];

/** A choice that only one page has; the first option stands where nothing was chosen. */
export interface OwnChoice {
  /** Its name in the URL and in the question. */
  name: string;
  label: string;
  options: readonly Option[];
}

/** A control and what it is set to. */
export interface Choice {
  readonly element: HTMLElement;
  set(value: string): void;
}

/** Buttons of which one is down; they are radios, so the arrow keys go from one to the next. */
export function createSegments(
  label: string,
  name: string,
  options: readonly Option[],
  chosen: (value: string) => void,
): Choice {
  const inputs = options.map(([value]) => {
    const input = make("input", "");
    Object.assign(input, { type: "radio", name, value });
    input.addEventListener("change", () => chosen(value));
    return input;
  });
  const labels = options.map(([, text], at) => make("label", "", [inputs[at]!, make("span", "", text)]));
  const element = make("fieldset", "segments", [make("legend", "unseen", label), ...labels]);
  return {
    element,
    set(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}

/** A list with its label before it. */
export function createSelect(
  label: string,
  name: string,
  options: readonly Option[],
  chosen: (value: string) => void,
): Choice {
  const select = make("select", "");
  select.name = name;
  select.append(...options.map(([value, text]) => new Option(text, value)));
  select.addEventListener("change", () => chosen(select.value));
  return {
    element: make("label", "field", [make("span", "", label), select]),
    set(value) {
      select.value = options.some(([known]) => known === value) ? value : options[0]![0];
    },
  };
}

/** What is left free between the list of a menu and the edge of the page. */
const edgePx = 14;

/** Ticks behind a button; `load` is asked for the names when it is first opened. */
export function createMenu(
  all: string,
  load: () => Promise<readonly string[]>,
  chosen: (values: readonly string[]) => void,
): { element: HTMLElement; set(values: readonly string[]): void; forget(): void } {
  const summary = make("summary", "", all);
  const list = make("div", "menu-list");
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", all);
  const element = make("details", "menu", [summary, list]);
  let [values, known]: (readonly string[])[] = [[], []];
  let isLoaded = false;

  function fill(): void {
    const names = [...new Set([...known!, ...values!])];
    const ticks = names.map((name) => {
      const input = make("input", "");
      input.type = "checkbox";
      input.checked = values!.includes(name);
      input.addEventListener("change", () => {
        chosen(input.checked ? [...values!, name] : values!.filter((each) => each !== name));
      });
      return make("label", "", [input, make("span", "", name)]);
    });
    list.replaceChildren(...(ticks.length === 0 ? [make("p", "under", "None in this span")] : ticks));
  }

  element.addEventListener("toggle", async () => {
    if (!element.open) return;
    // Near the right edge the list opens to the left.
    list.style.left = "0";
    const over = list.getBoundingClientRect().right - document.documentElement.clientWidth + edgePx;
    list.style.left = `${-Math.max(0, over)}px`;
    if (isLoaded) return;
    isLoaded = true;
    list.replaceChildren(make("p", "under", "Loading"));
    known = await load().catch(() => {
      isLoaded = false;
      return [];
    });
    fill();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    element.open = false;
    summary.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!element.contains(event.target as Node)) element.open = false;
  });
  return {
    element,
    set(wanted) {
      values = wanted;
      write(
        summary,
        wanted.length === 0 ? all : wanted.length < 3 ? wanted.join(", ") : `${wanted.length} types`,
      );
      for (const label of list.querySelectorAll("label")) {
        label.querySelector("input")!.checked = wanted.includes(label.textContent ?? "");
      }
    },
    forget() {
      isLoaded = element.open;
    },
  };
}
