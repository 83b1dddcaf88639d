// Walks through every state a small world can come to, and tells the shortest way to one that may not be.
import { type Copy, createJudge, type Judgement } from "./judge.ts";
import type { Rules } from "./rules.ts";
import { createStates, type States } from "./states.ts";
import { type Cast, createWorld, sequencesOf } from "./world.ts";

type World = ReturnType<typeof createWorld>;

export interface Explored {
  /** States seen, the one that may not be included. */
  states: number;
  violation: { what: string; steps: string[] } | undefined;
  /** Whether every state was seen. */
  isWhole: boolean;
}

/** Breadth first, so that the first violation is one of the shortest. Ends after `statesMax` states. */
export async function explore(cast: Cast, rules: Rules, statesMax: number): Promise<Explored> {
  const world = await openWorld(cast, rules);
  const first = world.begin();
  const states = createStates(first.length);
  states.enter(first, -1);
  for (let from = 0; from < states.count(); from += 1) {
    for (const { state } of world.next(states.at(from))) {
      const place = states.enter(state, from);
      if (place < 0) continue;
      const what = world.violation(state);
      if (what !== undefined) {
        const violation = { what, steps: wayTo(states, world, place) };
        return { states: states.count(), violation, isWhole: false };
      }
      if (states.count() >= statesMax)
        return { states: states.count(), violation: undefined, isWhole: false };
    }
  }
  return { states: states.count(), violation: undefined, isWhole: true };
}

async function openWorld(cast: Cast, rules: Rules) {
  const judgements = await judgeAll(cast.copies);
  return createWorld(
    cast,
    rules,
    (sequence, seen, there) => judgements[(sequence * 18 + seen) * 9 + (there >> 1)]!,
  );
}

// The names of the steps are not kept: each is found again by taking every step from where it began.
function wayTo(states: States, world: World, last: number): string[] {
  const steps: string[] = [];
  for (let place = last; states.cameFrom(place) >= 0; place = states.cameFrom(place)) {
    const reached = Buffer.from(states.at(place));
    const step = world.next(states.at(states.cameFrom(place))).find(({ state }) => reached.equals(state));
    steps.unshift(step!.label);
  }
  return steps;
}

// Everything a transaction of such a world can ask the aggregator's rules, answered once by them.
async function judgeAll(copies: readonly Copy[]): Promise<Judgement[]> {
  const judge = createJudge(copies);
  const answers: Judgement[] = [];
  for (const sequence of sequencesOf(copies.length)) {
    for (let seen = 0; seen < 18; seen += 1) {
      for (let there = 0; there < 9; there += 1) {
        const [now, isKnownMoved] = [seen >> 1, (seen & 1) === 1];
        const rowsOf = (key: number): [number, number] => [Math.floor(key / 3), key % 3];
        answers.push(await judge(sequence, { rows: rowsOf(now), isKnownMoved }, rowsOf(there)));
      }
    }
  }
  return answers;
}
