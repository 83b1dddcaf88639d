// What a page shows, kept in the URL's query so that a view can be shared.

export const ranges = ["7d", "30d", "90d", "all", "custom"] as const;
export const intervals = ["day", "week", "month"] as const;
export const userKinds = ["all", "identified", "linked"] as const;

export type Interval = (typeof intervals)[number];
export type RangeName = (typeof ranges)[number];

/** Everything a person can choose. `range` and `interval` undefined: not chosen, the data decides. */
export interface View {
  range: RangeName | undefined;
  from: string;
  to: string;
  interval: Interval | undefined;
  users: (typeof userKinds)[number];
  types: readonly string[];
  zone: string;
  project: string;
  /** What only one page has, by the name it has in the URL; "" is not chosen. */
  own: Readonly<Record<string, string>>;
}

const datePattern = /^\d{4}-\d\d-\d\d$/;

/** Reads a query; whatever it does not know is taken as not said. `ownNames` are the page's own. */
export function readView(search: string, ownNames: readonly string[] = []): View {
  const given = new URLSearchParams(search);
  const text = (name: string): string => given.get(name) ?? "";
  const date = (name: string): string => (datePattern.test(text(name)) ? text(name) : "");
  return {
    range: ranges.find((range) => range === given.get("range")),
    from: date("from"),
    to: date("to"),
    interval: intervals.find((interval) => interval === given.get("interval")),
    users: userKinds.find((kind) => kind === given.get("users")) ?? "all",
    types: text("types")
      .split(",")
      .filter((type) => type !== ""),
    zone: isZone(text("tz")) ? text("tz") : "UTC",
    project: text("project"),
    own: Object.fromEntries(ownNames.map((name) => [name, text(name)])),
  };
}

/** The query of a view; what is as usual is left out. */
export function writeView(view: View): string {
  const said = writeShared(view);
  if (view.interval !== undefined) said.set("interval", view.interval);
  if (view.users !== "all") said.set("users", view.users);
  if (view.types.length > 0) said.set("types", view.types.join(","));
  for (const [name, value] of Object.entries(view.own)) if (value !== "") said.set(name, value);
  return said.toString().replaceAll("%2C", ",");
}

/** What every page understands, and so goes along from one to the next. */
export function writeShared(view: View): URLSearchParams {
  const said = new URLSearchParams();
  if (view.range !== undefined) said.set("range", view.range);
  if (view.range === "custom" && view.from !== "") said.set("from", view.from);
  if (view.range === "custom" && view.to !== "") said.set("to", view.to);
  if (view.zone !== "UTC") said.set("tz", view.zone);
  if (view.project !== "") said.set("project", view.project);
  return said;
}

/** The bounds of a view as the API takes them; from `firstDay` on, everything is asked for. */
export function spanOf(view: View, range: RangeName, now: Date): { from: string; to: string } {
  const today = dayOf(now, view.zone);
  if (range === "all") return { from: firstDay, to: today };
  if (range === "custom") return { from: view.from || addDays(today, -29), to: view.to || today };
  return { from: addDays(today, 1 - Number.parseInt(range, 10)), to: today };
}

/** The range of whoever chose none: `usual`, or everything where the last days hold nothing. */
export function rangeOf(view: View, watermark: string | null, usual: RangeName = "30d"): RangeName {
  if (view.range !== undefined) return view.range;
  if (watermark === null) return usual;
  return Date.parse(watermark) < Date.now() - autoRangeDays * 86_400_000 ? "all" : usual;
}

const autoRangeDays = 30;

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

/** Days from one to the other, both counted. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1;

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name !== "";
  } catch {
    return false;
  }
}
