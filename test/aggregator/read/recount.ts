// Sessions, funnels and retention counted from rows by their definitions, as plainly and slowly as can be.

/** A stored event. */
export interface Row {
  /** Ids sort as the events' times, and decide between two at one time. */
  id: string;
  at: number;
  project: string;
  type: string;
  user: string | null;
  anonymous: string | null;
  session: string | null;
  country: string | null;
}

export interface Asked {
  from: number;
  to: number;
  tz: string;
  users: "identified" | "all" | "linked";
  project?: string | undefined;
  types?: readonly string[] | undefined;
}

export type Interval = "day" | "week" | "month";

const gapMs = 30 * 60_000;
const dayMs = 24 * 60 * 60_000;

/** Everybody's events of the project and types, in their order, each list of one person. */
export function people(rows: readonly Row[], asked: Asked): Row[][] {
  const links = new Map<string, string>();
  const sorted = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  for (const { type, project, user, anonymous } of sorted) {
    const names = ["identify", "alias"].includes(type) && user !== null && anonymous !== null;
    if (names) links.set(`${project}/${anonymous}`, user);
  }
  const personOf = ({ project, user, anonymous }: Row): string | null => {
    if (user !== null || asked.users === "identified") return user;
    return asked.users === "linked" ? (links.get(`${project}/${anonymous}`) ?? anonymous) : anonymous;
  };
  const lists = Map.groupBy(chosen(sorted, asked), (row) => {
    const person = personOf(row);
    return person === null ? null : `${row.project}/${person}`;
  });
  lists.delete(null);
  return [...lists.values()];
}

/** Events of the project and types. */
export function chosen(rows: readonly Row[], { project, types }: Asked): Row[] {
  return rows.filter(
    (row) => (project === undefined || row.project === project) && (types?.includes(row.type) ?? true),
  );
}

/** The first day of the interval in which a moment lies, in a time zone. */
function bucketOf(at: number, interval: Interval, tz: string): string {
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: tz, dateStyle: "short" }).format(at);
  if (interval === "month") return `${day.slice(0, 7)}-01`;
  const sinceMonday = interval === "week" ? (new Date(day).getUTCDay() + 6) % 7 : 0;
  return new Date(Date.parse(day) - sinceMonday * dayMs).toISOString().slice(0, 10);
}

/** How many intervals lie from one bucket to another. */
function between(first: string, second: string, interval: Interval): number {
  if (interval !== "month") {
    return (Date.parse(second) - Date.parse(first)) / (interval === "week" ? 7 * dayMs : dayMs);
  }
  const months = (day: string): number => Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7));
  return months(second) - months(first);
}

/** Splits one person's events where more than 30 minutes lie between two. */
export function split(own: readonly Row[]): Row[][] {
  const sessions: Row[][] = [];
  for (const row of own) {
    const last = sessions.at(-1)?.at(-1);
    if (last === undefined || row.at - last.at > gapMs) sessions.push([row]);
    else sessions.at(-1)!.push(row);
  }
  return sessions;
}

export function countSessions(
  rows: readonly Row[],
  asked: Asked & { interval: Interval | "total"; by: "gap" | "session_id" },
): unknown[] {
  const named = chosen(rows, asked)
    .filter(({ session, user }) => session !== null && (asked.users !== "identified" || user !== null))
    .toSorted((a, b) => a.at - b.at);
  const all =
    asked.by === "gap"
      ? people(rows, asked).flatMap(split)
      : [...Map.groupBy(named, (row) => `${row.project}/${row.session}`).values()];
  const begun = all.filter(([first]) => first!.at >= asked.from && first!.at < asked.to);
  const average = (some: readonly Row[][]): number | null =>
    some.length === 0
      ? null
      : some.reduce((sum, one) => sum + one.at(-1)!.at - one[0]!.at, 0) / some.length / 1000;
  const { interval } = asked;
  if (interval === "total") {
    return [{ bucket: null, sessions: begun.length, avg_duration_sec: average(begun) }];
  }
  return [...Map.groupBy(begun, ([first]) => bucketOf(first!.at, interval, asked.tz))]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([bucket, own]) => ({ bucket, sessions: own.length, avg_duration_sec: average(own) }));
}

export interface FunnelAsked extends Asked {
  steps: readonly string[];
  windowMs: number | "session";
  entry: "first" | "any";
  order: "any" | "strict";
}

/** How many people took each step; by the country of their first step 1 where `isBroken`. */
export function countFunnel(rows: readonly Row[], asked: FunnelAsked, isBroken: boolean): unknown[] {
  const { steps } = asked;
  const reached = people(rows, asked).flatMap((all) => {
    const own = all.filter(({ at }) => at >= asked.from && at < asked.to);
    const firsts = own.filter(({ type }) => type === steps[0]);
    if (firsts.length === 0) return [];
    const anchors = asked.entry === "any" ? firsts : firsts.filter(({ at }) => at === firsts[0]!.at);
    const depth = Math.max(...anchors.map((anchor) => depthFrom(own, anchor, asked)));
    return [{ depth, country: firsts[0]!.country }];
  });
  const groups = isBroken
    ? [...Map.groupBy(reached, ({ country }) => country)]
    : [[undefined, reached] as const];
  return groups
    .toSorted(([a], [b]) => (a === null || (b !== null && a! > b!) ? 1 : -1))
    .flatMap(([country, own]) =>
      steps.map((type, at) => ({
        ...(country === undefined ? {} : { breakdown: country }),
        step: at + 1,
        type,
        users: own.filter(({ depth }) => depth > at).length,
      })),
    );
}

// Tries every way from the anchor on.
function depthFrom(own: readonly Row[], anchor: Row, { steps, windowMs, order }: FunnelAsked): number {
  const session = split(own).find((rows) => rows.includes(anchor))!;
  const until = windowMs === "session" ? session.at(-1)!.at : anchor.at + windowMs;
  const go = (last: Row, done: number): number => {
    const other = (row: Row): boolean =>
      steps.includes(row.type) && row.type !== last.type && row.type !== steps[done];
    const ways = own.filter(
      (row) =>
        row.type === steps[done] &&
        row.at > last.at &&
        row.at <= until &&
        (order === "any" || !own.some((mid) => other(mid) && mid.at > last.at && mid.at < row.at)),
    );
    return Math.max(done, ...ways.map((row) => go(row, done + 1)));
  };
  return go(anchor, 1);
}

export interface RetentionAsked extends Asked {
  interval: Interval;
  mode: "first-time" | "recurring";
  periods: number;
}

export function countRetention(rows: readonly Row[], asked: RetentionAsked, isBroken: boolean): unknown[] {
  const { interval, tz, from, to } = asked;
  const placeOf = (at: number): string => bucketOf(at, interval, tz);
  const newest = rows.reduce((last, { at }) => Math.max(last, at), 0);
  const last = placeOf(Math.min(to - 1, newest));
  const cohorts = new Map<string, { cohort: string; country: string | null; members: Set<string>[] }>();
  for (const [person, all] of people(rows, asked).entries()) {
    const own = all.filter(({ at }) => at >= from && at < to);
    const places = [...new Set(own.map(({ at }) => placeOf(at)))];
    const isNew = all[0]!.at >= from && all[0]!.at < to;
    const joined = asked.mode === "recurring" ? places : isNew ? [placeOf(all[0]!.at)] : [];
    for (const cohort of joined) {
      const { country } = own.find(({ at }) => placeOf(at) === cohort)!;
      const key = isBroken ? `${cohort} ${country === null ? "~" : country}` : cohort;
      const row = cohorts.get(key) ?? { cohort, country, members: [] };
      cohorts.set(key, row);
      for (const place of places) {
        const period = between(cohort, place, interval);
        if (period < 0) continue;
        row.members[period] ??= new Set();
        row.members[period].add(String(person));
      }
    }
  }
  return [...cohorts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { cohort, country, members }]) => ({
      cohort,
      ...(isBroken ? { breakdown: country } : {}),
      size: members[0]!.size,
      retained: Array.from(
        { length: Math.min(asked.periods, between(cohort, last, interval) + 1) },
        (_, period) => members[period]?.size ?? 0,
      ),
    }));
}
