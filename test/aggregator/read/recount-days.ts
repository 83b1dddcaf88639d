// People, events, money and timelines by local days, counted from rows as plainly and slowly as can be.
import { type Asked, chosen, type Interval, people, type Row } from "./recount.ts";

/** What an event said beside who it was of. */
export interface SaidRow extends Row {
  revenue: string | null;
  currency: string | null;
  plan: string | null;
}

const dayMs = 86_400_000;
const quarterMs = 900_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function localDay(at: number, tz: string): string {
  const format = formats.get(tz) ?? new Intl.DateTimeFormat("en-CA", { timeZone: tz, dateStyle: "short" });
  formats.set(tz, format);
  return format.format(at);
}

export const daysOn = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10);

/** The first moment whose local day is this one, looked for quarter hour by quarter hour. */
export function beginOf(day: string, tz: string): number {
  let at = Date.parse(day) - dayMs;
  while (localDay(at, tz) < day) at += quarterMs;
  return at;
}

function bucketOf(day: string, interval: Interval): string {
  if (interval === "month") return `${day.slice(0, 7)}-01`;
  return interval === "week" ? daysOn(day, -((new Date(day).getUTCDay() + 6) % 7)) : day;
}

type InBuckets = Asked & { interval: Interval };

/** The span's rows by bucket, in the order of the buckets; nobody's events are left out where only people count. */
function inBuckets<One extends Row>(rows: readonly One[], asked: InBuckets): [string, One[]][] {
  const own = rows.filter(({ at }) => at >= asked.from && at < asked.to);
  const groups = Map.groupBy(own, ({ at }) => bucketOf(localDay(at, asked.tz), asked.interval));
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

const ofUsers = (rows: readonly SaidRow[], asked: Asked): SaidRow[] =>
  (chosen(rows, asked) as SaidRow[]).filter(({ user }) => asked.users !== "identified" || user !== null);

export function countActive(rows: readonly Row[], asked: InBuckets): unknown[] {
  const who = new Map(people(rows, asked).flatMap((own, person) => own.map(({ id }) => [id, person])));
  const seen = rows.filter(({ id }) => who.has(id));
  return inBuckets(seen, asked).map(([bucket, own]) => ({
    bucket,
    active_users: new Set(own.map(({ id }) => who.get(id))).size,
  }));
}

/** By day: people of the last `days` local days, and of the day itself. */
export function countRolling(rows: readonly Row[], asked: Asked, days: number): unknown[] {
  const lists = people(rows, asked).map(
    (own) => new Set(own.filter(({ at }) => at < asked.to).map(({ at }) => localDay(at, asked.tz))),
  );
  const counted: unknown[] = [];
  for (
    let day = localDay(asked.from, asked.tz);
    day <= localDay(asked.to - 1, asked.tz);
    day = daysOn(day, 1)
  ) {
    const first = daysOn(day, 1 - days);
    const all = lists.filter((seen) => [...seen].some((each) => each >= first && each <= day)).length;
    const own = lists.filter((seen) => seen.has(day)).length;
    const stickiness = Math.round((own / all) * 10_000) / 10_000;
    if (all > 0) counted.push({ bucket: day, active_users: all, bucket_users: own, stickiness });
  }
  return counted;
}

export function countPlans(rows: readonly SaidRow[], asked: InBuckets): unknown[] {
  return inBuckets(ofUsers(rows, asked), asked).flatMap(([bucket, own]) =>
    sorted(Map.groupBy(own, ({ plan }) => plan)).map(([value, { length }]) => ({
      bucket,
      value,
      events: length,
    })),
  );
}

/** Money of two decimals, added as whole cents. */
export function countRevenue(rows: readonly SaidRow[], asked: InBuckets): unknown[] {
  const paid = ofUsers(rows, asked).filter(({ revenue }) => revenue !== null);
  return inBuckets(paid, asked).flatMap(([bucket, own]) =>
    sorted(Map.groupBy(own, ({ currency }) => currency)).map(([currency, some]) => ({
      bucket,
      currency,
      revenue: some.reduce((cents, { revenue }) => cents + Math.round(Number(revenue) * 100), 0) / 100,
    })),
  );
}

/** Ids of a person's events, the newest first: theirs by user_id, by their own anonymous_id, or by a link. */
export function listTimeline(rows: readonly Row[], asked: Asked, person: string): string[] {
  const ids = new Set<string>();
  for (const users of ["all", "linked"] as const) {
    for (const own of people(rows, { ...asked, users, types: undefined })) {
      const isTheirs = ({ user, anonymous }: Row): boolean => (user ?? anonymous) === person;
      // Linked, all of somebody are theirs who ever was the user; an id alone is what it says.
      const named = users === "linked" && own.some(({ user }) => user === person);
      for (const row of own) if (named || isTheirs(row)) ids.add(row.id);
    }
  }
  const inSpan = rows.filter(({ id, at }) => ids.has(id) && at >= asked.from && at < asked.to);
  return inSpan.map(({ id }) => id).toSorted((a, b) => (a < b ? 1 : -1));
}

/** By their names, those of none last. */
const sorted = <Rows>(groups: Map<string | null, Rows>): [string | null, Rows][] =>
  [...groups].toSorted(([a], [b]) => (a === null || (b !== null && a > b) ? 1 : -1));
