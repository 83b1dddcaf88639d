// Funnels from each person's first step 1 on: of the model's parts only those are read that somebody waits for.
import type { TransactionSql } from "postgres";
import type { Path } from "./funnel-depth.ts";
import {
  dayMs,
  noMoments,
  onDay,
  partsAtOnce,
  partsWithin,
  peopleMax,
  readMoments,
  type WalkAsked,
} from "./funnel-parts.ts";
import type { Span } from "./within.ts";

/** Parts read at once: few at first, since what they tell lets others be passed over. */
const wave = { first: 8, growth: 4, max: partsAtOnce };
/** A part of fewer moments is read at less cost than so many times as many people are looked through. */
const lookedThrough = 8;

/** Whether first moments are all there is to know: no step comes again, and whatever lies between is no matter. */
export const isFromFirst = ({ kinds, entry, order, windowMs }: Path & { windowMs: number }): boolean =>
  entry === "first" && order === "any" && windowMs < Infinity && new Set(kinds).size === kinds.length;

/** More parts than these are not looked through, nor those of more projects, each of which takes its own rounds. */
const [partsMax, projectsMax] = [100_000, 64];

/** How many people took each of the steps; undefined where there is too much to look through. */
export async function countFromFirst(
  tx: TransactionSql,
  asked: WalkAsked,
  span: Span,
): Promise<number[] | undefined> {
  const counts = asked.kinds.map(() => 0);
  const found = await partsOf(tx, asked, span);
  const projects = Map.groupBy(found, (part) => part.project_id);
  if (found.length > partsMax || projects.size > projectsMax) return undefined;
  for (const parts of projects.values()) {
    const last = parts.reduce((highest, part) => Math.max(highest, part.highest), 0);
    for (let low = 0; low <= last; low += peopleMax) {
      const people = createPeople(asked, span, low);
      for (const step of asked.kinds.keys())
        await takeStep(
          tx,
          asked,
          people,
          step,
          parts.filter(({ kind }) => kind === asked.kinds[step]),
        );
      for (const [step, count] of people.count().entries()) counts[step]! += count;
    }
  }
  return counts;
}

interface Part {
  project_id: string;
  kind: number;
  /** Days since 1970. */
  day: number;
  part: string;
  events: number;
  lowest: number;
  highest: number;
}

const partsOf = (tx: TransactionSql, asked: WalkAsked, span: Span): Promise<Part[]> => tx<Part[]>`
  select project_id, array_position(${[...asked.types]}::text[], type) as kind, day - '1970-01-01' as day,
    part, events, lowest, highest
  from step_times
  where ${partsWithin(tx, asked, span)}
  order by day, lowest
  limit ${partsMax + 1}`;

/** Reads what is waited for of a step, wave after wave. */
async function takeStep(
  tx: TransactionSql,
  { types, kinds }: WalkAsked,
  people: People,
  step: number,
  parts: readonly Part[],
): Promise<void> {
  const type = types[kinds[step]! - 1]!;
  for (let at = 0, size = wave.first; at < parts.length; size = Math.min(size * wave.growth, wave.max)) {
    const read: Part[] = [];
    const whole: string[] = [];
    for (; at < parts.length && read.length < size; at += 1) {
      const part = parts[at]!;
      const waits = people.waitFor(step, part);
      if (waits !== "nothing") read.push(part);
      if (waits === "all") whole.push(part.part);
    }
    if (read.length === 0) continue;
    const found = await tx<{ day: number; firsts: Uint8Array; others: Uint8Array | null }[]>`
      select day - '1970-01-01' as day, array_send(firsts) as firsts,
        case when part = any(${whole}::bigint[]) then array_send(others) end as others
      from step_times
      where type = ${type}
        and project_id = ${read[0]!.project_id}
        and day between ${onDay(tx, read[0]!.day * dayMs)} and ${onDay(tx, read.at(-1)!.day * dayMs)}
        and part = any(${read.map(({ part }) => part)}::bigint[])`;
    for (const { day, firsts, others } of found) {
      people.take(step, day, firsts);
      if (others !== null) people.take(step, day, others);
    }
  }
}

interface People {
  /**
   * What of a part matters to somebody: their first moments of its day, or, where that day may begin before they
   * wait, all of them.
   */
  waitFor(step: number, part: Part): "nothing" | "firsts" | "all";
  take(step: number, day: number, moments: Uint8Array): void;
  /** How many took each of the steps. */
  count(): number[];
}

/** The moments at which people from the number `low` on took each step, the earliest there is. */
function createPeople({ kinds, windowMs }: WalkAsked, { from, to }: Span, low: number): People {
  const taken = kinds.map(() => new Float64Array(0));
  const moments = noMoments();
  const widen = (step: number, people: Int32Array, length: number): void => {
    let most = 0;
    for (let at = 0; at < length; at += 1) most = Math.max(most, people[at]!);
    const width = Math.min(peopleMax, 2 ** Math.ceil(Math.log2(Math.max(8_192, most - low + 1))));
    if (width <= taken[step]!.length) return;
    const wider = new Float64Array(width).fill(Infinity);
    wider.set(taken[step]!);
    taken[step] = wider;
  };
  return {
    waitFor(step, part) {
      const [first, last] = [Math.max(part.lowest - low, 0), Math.min(part.highest - low, peopleMax - 1)];
      if (last < first) return "nothing";
      const begins = part.day * dayMs;
      const [own, before, entered] = [taken[step]!, taken[step - 1], taken[0]!];
      if (last - first > lookedThrough * part.events)
        return before === undefined && begins >= from ? "firsts" : "all";
      let waits: "nothing" | "firsts" = "nothing";
      for (let person = first; person <= last; person += 1) {
        if (own[person]! < begins) continue;
        if (before === undefined) return begins >= from ? "firsts" : "all";
        const since = before[person];
        if (since === undefined || since >= begins + dayMs || entered[person]! + windowMs < begins) continue;
        if (since >= begins) return "all";
        waits = "firsts";
      }
      return waits;
    },
    take(step, day, bytes) {
      const { length, people, ms } = readMoments(bytes, moments);
      widen(step, people, length);
      const [own, before, entered] = [taken[step]!, taken[step - 1], taken[0]!];
      for (let index = 0; index < length; index += 1) {
        const person = people[index]! - low;
        const at = day * dayMs + ms[index]!;
        if (person < 0 || person >= peopleMax || at < from || at >= to || at >= own[person]!) continue;
        if (before === undefined || (at > before[person]! && at <= entered[person]! + windowMs))
          own[person] = at;
      }
    },
    count: () => taken.map((each) => each.reduce((users, at) => (at < Infinity ? users + 1 : users), 0)),
  };
}
