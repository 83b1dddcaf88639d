// Runs the simulation: `npm run simulate [-- --seeds N] [--seed S] [--json] [--mutants]`.
import { runSeed } from "./seeded/seed.ts";

const words = process.argv.slice(2);
const wordAfter = (name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
const from = Number(wordAfter("--from") ?? 1);
const seeds = Number(wordAfter("--seeds") ?? 1000);
const began = performance.now();
let bad = 0;
let sum = { sent: 0, acked: 0, stored: 0 };
const one = wordAfter("--seed");
if (one !== undefined) console.log(await runSeed(Number(one)));
else
  for (let seed = from; seed < from + seeds; seed += 1) {
    const run = await runSeed(seed);
    sum = { sent: sum.sent + run.sent, acked: sum.acked + run.acked, stored: sum.stored + run.stored };
    if (run.faults.length > 0) {
      bad += 1;
      if (bad < 20) console.log(seed, run.faults.slice(0, 4), run.disasters);
    }
  }
console.log({
  bad,
  ...sum,
  seconds: (performance.now() - began) / 1000,
  seedsPerMinute: (seeds / (performance.now() - began)) * 60_000,
});
process.exit(bad > 0 ? 1 : 0);
