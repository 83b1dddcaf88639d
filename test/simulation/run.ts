// Runs the simulation: `npm run simulate [-- --seeds N] [--seed S] [--mutants] [--explore [--long]] [--json]`.
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { exploreAll } from "./explore.ts";
import { explore } from "./explorer.ts";
import { mutants, sound } from "./rules.ts";
import { runSeed, type SeedRun } from "./seeded/seed.ts";
import { type Twist, twists } from "./seeded/twists.ts";

const words = process.argv.slice(2);
const isJson = words.includes("--json");
const wordAfter = (name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
const numberAfter = (name: string, otherwise: number): number => Number(wordAfter(name) ?? otherwise);
const keptFile = join(import.meta.dirname, "seeds.txt");

/** A world of the explorer is left after so many states. */
const statesMax = 1_000_000;

/** Seeds that failed once, tried first in every run. */
const kept = readFileSync(keptFile, "utf8")
  .split("\n")
  .filter((line) => /^\d+$/.test(line))
  .map(Number);

const seeds = numberAfter("--seeds", 1_000);
const first = numberAfter("--from", 1);
const seed = numberAfter("--seed", 0);
if (![seeds, first, seed].every(Number.isSafeInteger) || seeds < 1) {
  console.error("--seeds, --from and --seed take whole numbers");
  process.exit(2);
}
process.exit(await main());

async function main(): Promise<number> {
  if (words.includes("--explore")) return await exploreWorlds();
  if (words.includes("--mutants")) return await tryMutants();
  if (wordAfter("--seed") !== undefined) return tell(seed, await runSeed(seed));
  return await trySeeds();
}

async function trySeeds(): Promise<number> {
  const began = performance.now();
  const sum = { sent: 0, acked: 0, stored: 0, disasters: 0 };
  let violations = 0;
  const all = [...kept, ...Array.from({ length: seeds }, (_, at) => first + at)];
  for (const [count, one] of all.entries()) {
    const run = await runSeed(one);
    sum.sent += run.sent;
    sum.acked += run.acked;
    sum.stored += run.stored;
    sum.disasters += run.disasters.length;
    if (tell(one, run) === 1) {
      violations += 1;
      if (!kept.includes(one)) appendFileSync(keptFile, `${one}\n`);
    }
    if ((count + 1) % 1_000 === 0) console.error(`${count + 1} seeds, ${violations} violations`);
  }
  const seconds = (performance.now() - began) / 1_000;
  const rate = Math.round((all.length / seconds) * 60);
  console.error(
    `${all.length} seeds in ${seconds.toFixed(1)} s, ${rate} a minute: ${sum.sent} events, sent and ` +
      `acknowledged ${sum.acked} times, ${sum.stored} stored, ${sum.disasters} disasters`,
  );
  console.log(isJson ? JSON.stringify({ seeds, violations }) : `${seeds} seeds, ${violations} violations`);
  return violations === 0 ? 0 : 1;
}

// Says what a seed broke, and the one line that repeats it; answers the exit code.
function tell(one: number, { faults, disasters }: SeedRun): number {
  if (faults.length === 0) {
    if (words.includes("--seed"))
      console.log(isJson ? JSON.stringify({ seeds: 1, violations: 0 }) : "0 violations");
    return 0;
  }
  for (const fault of faults) console.error(`seed ${one}: ${fault}`);
  console.error(`seed ${one}: ${disasters.join(", ") || "no disaster"}`);
  console.error(`repeat it: npm run simulate -- --seed ${one}`);
  if (words.includes("--seed"))
    console.log(isJson ? JSON.stringify({ seeds: 1, violations: 1 }) : "1 violation");
  return 1;
}

async function exploreWorlds(): Promise<number> {
  const { violations, unseen } = await exploreAll(words.includes("--long"), (line) =>
    console.log(JSON.stringify(line)),
  );
  console.log(JSON.stringify({ violations, unseen }));
  return violations + unseen === 0 ? 0 : 1;
}

// What each planted fault took: states of the explorer, and seeds of the simulation. One of both must see it.
async function tryMutants(): Promise<number> {
  let missed = 0;
  for (const [name, twist] of Object.entries(twists)) {
    const chance = await seedsUntilCaught(twist);
    const { rules, cast } = mutants[name]!;
    const { states, violation } = await explore(cast, { ...sound, ...rules }, statesMax);
    const [caughtBySeeds, caughtByStates] = [chance?.seeds ?? null, violation === undefined ? null : states];
    if (caughtBySeeds === null && caughtByStates === null) missed += 1;
    const what = violation?.what ?? chance?.fault ?? null;
    const line = { mutant: name, seeds: caughtBySeeds, states: caughtByStates, violation: what };
    const text = `${name.padEnd(32)} seeds ${line.seeds ?? "–"}, states ${line.states ?? "–"}: ${what ?? "NOT CAUGHT"}`;
    console.log(isJson ? JSON.stringify(line) : text);
  }
  return missed === 0 ? 0 : 1;
}

async function seedsUntilCaught(twist: Twist): Promise<{ seeds: number; fault: string } | undefined> {
  for (let count = 1; count <= seeds; count += 1) {
    const [fault] = (await runSeed(first + count - 1, twist)).faults;
    if (fault !== undefined) return { seeds: count, fault };
  }
  return undefined;
}
