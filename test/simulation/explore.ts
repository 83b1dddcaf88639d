// Explores small worlds and prints what was seen: `npm run simulate -- --explore [--long]`.
import { explore } from "./explorer.ts";
import { castOf, mutants, sound } from "./rules.ts";

const statesMax = 1_000_000;
const longStatesMax = 12_000_000;

const worlds = [
  ["one batch, twice", castOf("one", [2, 2, 3])],
  ["two copies", castOf("same", [1, 2, 2])],
  ["two copies, three faults", castOf("same", [1, 1, 3])],
  ["two contents", castOf("other", [1, 2, 2])],
  ["a moved copy", castOf("moved", [1, 2, 2])],
  ["two copies, spools", castOf("same", [1, 1, 2], true)],
  ["two copies, twice", castOf("same", [2, 2, 3])],
] as const;

/** Answers how many worlds had a state that may not be, and how many broken rules went unseen. */
export async function exploreAll(
  isLong: boolean,
  print: (line: Record<string, unknown>) => void,
): Promise<{ violations: number; unseen: number }> {
  let [violations, unseen] = [0, 0];
  for (const [world, cast] of worlds) {
    const found = await explore(cast, sound, isLong ? longStatesMax : statesMax);
    const { states, isWhole, violation } = found;
    if (violation !== undefined) violations += 1;
    print({ world, states, whole: isWhole, violation: violation?.what ?? null, steps: violation?.steps });
  }
  for (const [mutant, { rules, cast }] of Object.entries(mutants)) {
    const { states, violation } = await explore(cast, { ...sound, ...rules }, statesMax);
    if (violation === undefined) unseen += 1;
    print({ mutant, states, caught: violation?.what ?? null });
  }
  return { violations, unseen };
}
