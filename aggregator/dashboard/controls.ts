// What a person can choose: read from the page's controls into the view, and written back.
import { find, make } from "./element.ts";
import { intervals, ranges, readView, spanOf, type View, writeView } from "./view.ts";

export interface Controls {
  readonly view: View;
  /** Marks what is shown; `range` is what the data decided where nobody chose. */
  reflect(range: NonNullable<View["range"]>): void;
  /** Offers these projects beside all of them. */
  offerProjects(names: readonly string[]): void;
  /** Changes the view as if a person had. */
  choose(change: Partial<View>): void;
}

/** `changed` runs after every choice, and when the URL's fragment was changed from outside. */
export function createControls(changed: () => void): Controls {
  let view = readView(location.hash);
  const form = find<HTMLFormElement>("controls");
  const zone = find<HTMLSelectElement>("zone");
  const project = find<HTMLSelectElement>("project");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const name of new Set(["UTC", here, view.zone]))
    zone.append(new Option(name.replaceAll("_", " "), name));
  const date = (name: string): HTMLInputElement => form.elements.namedItem(name) as HTMLInputElement;

  function choose(change: Partial<View>): void {
    view = { ...view, ...change };
    history.replaceState(null, "", `#${writeView(view)}`);
    changed();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => {
    const said = new FormData(form);
    const range = ranges.find((each) => each === said.get("range"));
    const interval = intervals.find((each) => each === said.get("interval")) ?? "day";
    let [from, to] = [String(said.get("from") ?? ""), String(said.get("to") ?? "")];
    if (range === "custom" && view.range !== "custom") {
      // Custom begins with what was shown last, so that there is something to change.
      ({ from, to } = spanOf(
        view,
        view.range === "all" || view.range === undefined ? "30d" : view.range,
        new Date(),
      ));
    }
    choose({ range, interval, from, to });
  });
  zone.addEventListener("change", () => choose({ zone: zone.value }));
  project.addEventListener("change", () => choose({ project: project.value }));
  addEventListener("hashchange", () => {
    view = readView(location.hash);
    changed();
  });

  return {
    get view() {
      return view;
    },
    reflect(range) {
      for (const input of form.querySelectorAll<HTMLInputElement>("input[type=radio]")) {
        input.checked = input.value === (input.name === "range" ? range : view.interval);
      }
      find("dates").hidden = range !== "custom";
      if (range === "custom" && document.activeElement?.parentElement?.parentElement?.id !== "dates") {
        const span = spanOf(view, range, new Date());
        date("from").value = span.from;
        date("to").value = span.to;
      }
      zone.value = view.zone;
    },
    offerProjects(names) {
      find("project-pick").hidden = names.length < 2 && view.project === "";
      if (names.join("\n") === project.dataset["names"]) return;
      project.dataset["names"] = names.join("\n");
      project.replaceChildren(new Option("All projects", ""), ...names.map((name) => new Option(name, name)));
      project.value = view.project;
    },
    choose,
  };
}

/** A choice of few, as buttons of which one is down. */
export function createSegments(
  label: string,
  name: string,
  options: readonly (readonly [value: string, text: string])[],
  chosen: (value: string) => void,
): { element: HTMLElement; set(value: string): void } {
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
