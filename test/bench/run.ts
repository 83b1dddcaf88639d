// Runs the benchmarks: `npm run bench [-- NAME…] [--json] [--save] [--long]`. --save renews their blocks in RESULTS.md.
import setup, { missingName, urlName } from "../services/setup.ts";
import type { Add, Bench, BenchLine } from "./bench.ts";
import { rowOf, saveTables } from "./table.ts";

const benches: Readonly<Record<string, () => Promise<{ default: Bench }>>> = {
  store: () => import("./store.bench.ts"),
  storage: () => import("./storage.bench.ts"),
  claims: () => import("./claims.bench.ts"),
  http: () => import("./http.bench.ts"),
  ingest: () => import("./ingest.bench.ts"),
  ledger: () => import("./ledger.bench.ts"),
  guarantees: () => import("./guarantees.bench.ts"),
  answers: () => import("./answers.bench.ts"),
  adhoc: () => import("./adhoc.bench.ts"),
  panels: () => import("./panels.bench.ts"),
  growth: () => import("./growth.bench.ts"),
  models: () => import("./models.bench.ts"),
  queryable: () => import("./queryable.bench.ts"),
  pipeline: () => import("./pipeline.bench.ts"),
  runtimes: () => import("./runtimes.bench.ts"),
  beacon: () => import("./beacon.bench.ts"),
};

const words = process.argv.slice(2);
const flags = words.filter((word) => word.startsWith("--"));
const names = words.filter((word) => !word.startsWith("--"));
const unknown = [
  ...names.filter((name) => benches[name] === undefined),
  ...flags.filter((flag) => !["--json", "--save", "--long"].includes(flag)),
];
if (unknown.length > 0) {
  console.error(`${unknown.join(", ")}: the benchmarks are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}

const chosen: Bench[] = [];
for (const name of names.length > 0 ? names : Object.keys(benches))
  chosen.push((await benches[name]!()).default);
const services = new Set(chosen.flatMap(({ needs, wants = [] }) => [...needs, ...wants]));
process.env["WEIR_TEST_SERVICES"] = [...services].join(",") || "none";
const stop = await setup();
const lines: BenchLine[] = [];
try {
  for (const bench of chosen) {
    const isMissing = (name: string): boolean => process.env[urlName(name)] === undefined;
    for (const name of [...bench.needs, ...(bench.wants ?? [])].filter(isMissing)) {
      console.error(`NOT RUN: ${bench.name} on ${name} (${process.env[missingName(name)]})`);
      process.exitCode = 1;
    }
    if (bench.needs.some(isMissing)) continue;
    const say = (text: string): void => console.error(`${bench.name}: ${text}`);
    const isLong = flags.includes("--long") || process.env["WEIR_TEST_LONG"] === "1";
    const add: Add = (name, value, unit, { ratio, goal, ok } = {}) => {
      const judged = { ratio: ratio ?? null, goal: goal ?? null, ok: ok ?? null };
      const line: BenchLine = { bench: bench.name, name, value, unit, ...judged };
      lines.push(line);
      console.log(flags.includes("--json") ? JSON.stringify(line) : rowOf(line));
    };
    await bench.run({ add, say, isLong }).catch((error: unknown) => {
      console.error(`FAILED: ${bench.name}`, error);
      process.exitCode = 1;
    });
  }
} finally {
  await stop();
}
if (flags.includes("--save")) saveTables(lines);
process.exit();
