// What a person can choose on a page: the controls, the view they stand for, and its place in the URL.
import { ask } from "./ask.ts";
import { type Choice, createMenu, createSegments, createSelect, type OwnChoice } from "./choice.ts";
import { sum } from "./columns.ts";
import { find, make } from "./element.ts";
import {
  type Interval,
  intervals,
  type RangeName,
  ranges,
  readView,
  spanOf,
  userKinds,
  type View,
  writeShared,
  writeView,
} from "./view.ts";

/** Which of the shared controls a page has, and its own. */
export interface Offered {
  interval?: boolean;
  users?: boolean;
  types?: boolean;
  own?: readonly OwnChoice[];
  /** Names of the view's own values that have a control elsewhere on the page. */
  elsewhere?: readonly string[];
}

export interface Controls {
  readonly view: View;
  /** Marks what is shown; range and interval are what the data decided where nobody chose. */
  reflect(range: RangeName, interval: Interval): void;
  /** Offers these projects beside all of them. */
  offerProjects(names: readonly string[]): void;
  /** Changes the view as if a person had. */
  choose(change: Partial<View>): void;
}

const rangeTexts = ["7 days", "30 days", "90 days", "All", "Custom"];
const intervalTexts = ["Day", "Week", "Month"];
const userTexts = ["All users", "Identified", "Linked"];
const pairs = <Value extends string>(values: readonly Value[], texts: readonly string[]) =>
  values.map((value, at) => [value, texts[at]!] as const);

/** Fills the form `controls`; `changed` runs after every choice, and when the history was gone through. */
export function createControls(offered: Offered, changed: () => void): Controls {
  const own = offered.own ?? [];
  const ownNames = [...own.map(({ name }) => name), ...(offered.elsewhere ?? [])];
  let view = readView(location.search, ownNames);
  const form = find<HTMLFormElement>("controls");
  const zone = find<HTMLSelectElement>("zone");
  const project = find<HTMLSelectElement>("project");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const name of new Set(["UTC", here, view.zone]))
    zone.append(new Option(name.replaceAll("_", " "), name));

  function choose(change: Partial<View>): void {
    view = { ...view, ...change };
    const query = writeView(view);
    history.replaceState(null, "", query === "" ? location.pathname : `?${query}`);
    passOn(view);
    changed();
  }

  const range = createSegments("Range", "range", pairs(ranges, rangeTexts), (value) => {
    const wanted = ranges.find((each) => each === value)!;
    if (wanted !== "custom") return choose({ range: wanted });
    // Custom begins with what was shown last, so that there is something to change.
    const before = view.range === "all" || view.range === undefined ? "30d" : view.range;
    choose({ range: wanted, ...spanOf(view, before, new Date()) });
  });
  const dates = createDates((from, to) => choose({ from, to }));
  const interval = createSegments("Interval", "interval", pairs(intervals, intervalTexts), (value) =>
    choose({ interval: value as Interval }),
  );
  const users = createSegments("Who is counted", "users", pairs(userKinds, userTexts), (value) =>
    choose({ users: value as View["users"] }),
  );
  const types = createMenu(
    "All types",
    () => knownTypes(view),
    (values) => choose({ types: values }),
  );
  const owned = own.map((choice): readonly [string, Choice] => {
    const { name, label, options } = choice;
    const chosen = (value: string): void =>
      // The first option is as good as none chosen, and so is not in the URL.
      choose({ own: { ...view.own, [name]: value === options[0]![0] ? "" : value } });
    return [name, createSelect(label, name, options, chosen)];
  });
  form.append(range.element, dates.element);
  if (offered.interval) form.append(interval.element);
  if (offered.users) form.append(users.element);
  if (offered.types) form.append(types.element);
  form.append(...owned.map(([, choice]) => choice.element));

  form.addEventListener("submit", (event) => event.preventDefault());
  zone.addEventListener("change", () => choose({ zone: zone.value }));
  project.addEventListener("change", () => choose({ project: project.value }));
  addEventListener("popstate", () => {
    view = readView(location.search, ownNames);
    changed();
  });
  passOn(view);

  return {
    get view() {
      return view;
    },
    reflect(shown, shownInterval) {
      range.set(shown);
      interval.set(shownInterval);
      users.set(view.users);
      types.set(view.types);
      for (const [name, choice] of owned) choice.set(view.own[name] ?? "");
      dates.show(shown === "custom" ? spanOf(view, shown, new Date()) : undefined);
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

// The other pages are opened with the same span, zone and project.
function passOn(view: View): void {
  const query = writeShared(view).toString();
  for (const link of document.querySelectorAll<HTMLAnchorElement>("nav a[data-shares]")) link.search = query;
}

/** Every type of the view's project, the most frequent first. */
export async function knownTypes(view: View): Promise<string[]> {
  const project = view.project === "" ? {} : { project: view.project };
  const span = spanOf(view, "all", new Date());
  const { data } = await ask("events", { ...span, interval: "month", tz: view.zone, ...project });
  const names = [...new Set(data.map((row) => String(row["type"])))];
  const total = (name: string): number =>
    sum(data.filter((row) => row["type"] === name).map((row) => Number(row["events"])));
  const totals = new Map(names.map((name) => [name, total(name)]));
  return names.sort((left, right) => totals.get(right)! - totals.get(left)!);
}

function createDates(chosen: (from: string, to: string) => void): {
  element: HTMLElement;
  show(span: { from: string; to: string } | undefined): void;
} {
  const [from, to] = ["from", "to"].map((name) => {
    const input = make("input", "");
    Object.assign(input, { type: "date", name, max: "9999-12-31" });
    input.addEventListener("change", () => chosen(from!.value, to!.value));
    return input;
  });
  const label = (text: string, input: HTMLElement): HTMLElement =>
    make("label", "", [make("span", "unseen", text), input]);
  const dash = make("span", "", "–");
  dash.setAttribute("aria-hidden", "true");
  const element = make("span", "dates", [label("From", from!), dash, label("To", to!)]);
  return {
    element,
    show(span) {
      element.hidden = span === undefined;
      // A date being typed is not taken away.
      if (span === undefined || element.contains(document.activeElement)) return;
      from!.value = span.from;
      to!.value = span.to;
    },
  };
}
