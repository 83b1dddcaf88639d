// How far people came along the steps of a funnel, told by their moments in the order of time.
import type { Path } from "./funnel-depth.ts";
import { peopleMax } from "./funnel-parts.ts";

export interface Way extends Path {
  /** Time from step 1 in which all steps lie; infinite where only a break ends it. */
  windowMs: number;
}

/** A key is (person · dayBits + milliseconds of the day) · kinds + kind, a whole number that a double holds. */
const dayMsMax = 2 ** 27;
const kindsMax = 16;

/** Key of a moment within a day; `moment` is person · 2^27 + milliseconds, `kind` 0 to 15. */
export const keyOf = (moment: number, kind: number): number => moment * kindsMax + kind;

/** A moment of this kind breaks off whatever its person has begun. */
export const breakKind = 0;

export interface Walk {
  /** Takes the sorted keys of a day that begins at `day`, epoch ms; days come in their order. */
  take(day: number, keys: Float64Array): void;
  /** How many people took each of the steps. */
  count(): number[];
  /** Forgets all people. */
  clear(): void;
}

/** Whether a person's first step 1 is all there is to know of step 1. */
export const isFirstOnly = ({ kinds, entry, order }: Path): boolean =>
  entry === "first" && order === "any" && kinds.indexOf(kinds[0]!, 1) < 0;

/**
 * Of all ways that came to a step, the one that began last may go on for longest, so that it is enough to
 * remember until when that is: a person's moment is a step where the step before was earlier and lasts.
 */
export function createWalk({ kinds, entry, order, windowMs }: Way): Walk {
  const steps = kinds.length;
  const [isAny, isStrict] = [entry === "any", order === "strict"];
  // The other kinds, of which none may lie between a step and the one before it.
  const between = kinds.map((kind, at) => [
    ...new Set(kinds.filter((other) => other !== kind && other !== kinds[at - 1])),
  ]);
  let people = 0;
  let depth = new Uint8Array(0);
  let until = new Float64Array(0);
  let reachedAt = new Float64Array(0);
  let seenAt = new Float64Array(0);

  function grow(person: number): void {
    people = widthFor(people, person);
    depth = widened(depth, new Uint8Array(people));
    until = widened(until, new Float64Array(people * steps).fill(-1));
    if (!isStrict) return;
    reachedAt = widened(reachedAt, new Float64Array(people * steps).fill(-1));
    seenAt = widened(seenAt, new Float64Array(people * kindsMax).fill(-1));
  }

  const isBroken = (person: number, step: number): boolean => {
    const reached = reachedAt[person * steps + step - 1]!;
    return between[step]!.some((kind) => seenAt[person * kindsMax + kind]! > reached);
  };

  /** All that a person did at one time, as bits of kinds: none of it is behind the rest. */
  function step(person: number, at: number, did: number): void {
    const own = person * steps;
    if ((did & (1 << breakKind)) !== 0) until.fill(-1, own, own + steps);
    for (let next = steps - 1; next >= 0; next -= 1) {
      if ((did & (1 << kinds[next]!)) === 0) continue;
      if (next === 0) {
        if (!isAny && depth[person]! > 0) continue;
        until[own] = at + windowMs;
      } else {
        const lasts = until[own + next - 1]!;
        if (lasts < at || (isStrict && isBroken(person, next))) continue;
        until[own + next] = lasts;
      }
      if (isStrict) reachedAt[own + next] = at;
      if (depth[person]! <= next) depth[person] = next + 1;
    }
    if (isStrict)
      for (const kind of kinds) if ((did & (1 << kind)) !== 0) seenAt[person * kindsMax + kind] = at;
  }

  return {
    take(day, keys) {
      for (let at = 0; at < keys.length; ) {
        const moment = Math.floor(keys[at]! / kindsMax);
        const first = moment * kindsMax;
        let did = 0;
        for (; at < keys.length && keys[at]! - first < kindsMax; at += 1) did |= 1 << (keys[at]! - first);
        const person = Math.floor(moment / dayMsMax);
        if (person >= people) grow(person);
        step(person, day + moment - person * dayMsMax, did);
      }
    },
    count() {
      const reached = new Array<number>(steps + 1).fill(0);
      for (const each of depth) reached[each]! += 1;
      return kinds.map((_, at) => reached.slice(at + 1).reduce((sum, users) => sum + users, 0));
    },
    clear() {
      depth.fill(0);
      until.fill(-1);
      reachedAt.fill(-1);
      seenAt.fill(-1);
    },
  };
}

/** How many people there is to be room for, so that room is seldom made. */
const widthFor = (people: number, person: number): number =>
  Math.min(peopleMax, Math.max(8_192, 2 * people, 2 ** Math.ceil(Math.log2(person + 1))));

function widened<Values extends Uint8Array | Float64Array>(from: Values, into: Values): Values {
  into.set(from);
  return into;
}
