// Walks through every state a small world can come to, and tells the shortest way to one that may not be.
import { type Copy, createJudge, type Judgement } from "./judge.ts";
import type { Rules } from "./rules.ts";
import { type Cast, createWorld, type State, sequencesOf } from "./world.ts";

export interface Explored {
  /** States seen, the one that may not be included. */
  states: number;
  violation: { what: string; steps: string[] } | undefined;
  /** Whether every state was seen. */
  isWhole: boolean;
}

interface Node {
  state: State;
  label: string;
  before: Node | undefined;
}

/** Breadth first, so that the first violation is one of the shortest. Ends after `statesMax` states. */
export async function explore(cast: Cast, rules: Rules, statesMax: number): Promise<Explored> {
  const world = await openWorld(cast, rules);
  const known = new Set<string>();
  const first: Node = { state: world.begin(), label: "", before: undefined };
  known.add(keyOf(first.state));
  let edge = [first];
  while (edge.length > 0) {
    const further: Node[] = [];
    for (const node of edge) {
      for (const { state, label } of world.next(node.state)) {
        const key = keyOf(state);
        if (known.has(key)) continue;
        known.add(key);
        const reached: Node = { state, label, before: node };
        const what = world.violation(state);
        if (what !== undefined) {
          return { states: known.size, violation: { what, steps: wayTo(reached) }, isWhole: false };
        }
        if (known.size >= statesMax) return { states: known.size, violation: undefined, isWhole: false };
        further.push(reached);
      }
    }
    edge = further;
  }
  return { states: known.size, violation: undefined, isWhole: true };
}

async function openWorld(cast: Cast, rules: Rules) {
  const judgements = await judgeAll(cast.copies);
  return createWorld(
    cast,
    rules,
    (sequence, seen, there) => judgements[(sequence * 18 + seen) * 9 + (there >> 1)]!,
  );
}

const keyOf = (state: State): string =>
  Buffer.from(state.buffer, state.byteOffset, state.length).toString("latin1");

function wayTo(node: Node): string[] {
  const steps: string[] = [];
  for (let one: Node | undefined = node; one?.before !== undefined; one = one.before)
    steps.unshift(one.label);
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
