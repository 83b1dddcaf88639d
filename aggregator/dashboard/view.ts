// What the page shows, kept in the URL's fragment so that a view can be shared.

export const ranges = ["7d", "30d", "90d", "all", "custom"] as const;
export const intervals = ["day", "week", "month"] as const;

/** Everything a person can choose. `range` undefined: not chosen, the data decides. */
export interface View {
  range: (typeof ranges)[number] | undefined;
  from: string;
  to: string;
  interval: (typeof intervals)[number];
  users: "all" | "identified";
  zone: string;
  project: string;
  currency: string;
}

const datePattern = /^\d{4}-\d\d-\d\d$/;

/** Reads a fragment; whatever it does not know is taken as not said. */
export function readView(fragment: string): View {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const date = (name: string): string => (datePattern.test(given.get(name) ?? "") ? given.get(name)! : "");
  return {
    range: ranges.find((range) => range === given.get("range")),
    from: date("from"),
    to: date("to"),
    interval: intervals.find((interval) => interval === given.get("interval")) ?? "day",
    users: given.get("users") === "identified" ? "identified" : "all",
    zone: given.get("tz") ?? "UTC",
    project: given.get("project") ?? "",
    currency: given.get("currency") ?? "",
  };
}

/** The fragment of a view; what is as usual is left out. */
export function writeView(view: View): string {
  const said = new URLSearchParams();
  if (view.range !== undefined) said.set("range", view.range);
  if (view.range === "custom" && view.from !== "") said.set("from", view.from);
  if (view.range === "custom" && view.to !== "") said.set("to", view.to);
  if (view.interval !== "day") said.set("interval", view.interval);
  if (view.users !== "all") said.set("users", view.users);
  if (view.zone !== "UTC") said.set("tz", view.zone);
  if (view.project !== "") said.set("project", view.project);
  if (view.currency !== "") said.set("currency", view.currency);
  return said.toString();
}

/** The bounds of a view as the API takes them; `first` is the day from which everything is asked for. */
export function spanOf(
  view: View,
  range: NonNullable<View["range"]>,
  now: Date,
): { from: string; to: string } {
  const today = dayOf(now, view.zone);
  if (range === "all") return { from: firstDay, to: today };
  if (range === "custom") return { from: view.from || addDays(today, -29), to: view.to || today };
  return { from: addDays(today, 1 - Number.parseInt(range, 10)), to: today };
}

/** Before anything an id can hold. */
export const firstDay = "1970-01-01";

/** The calendar day of a moment in a time zone, as YYYY-MM-DD. */
export function dayOf(moment: Date, zone: string): string {
  const form = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" } as const;
  const parts = new Intl.DateTimeFormat("en", form).formatToParts(moment);
  const part = (type: string): string => parts.find((each) => each.type === type)!.value;
  return `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
}

export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}
