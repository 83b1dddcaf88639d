// Runs the benchmarks: `npm run bench [-- NAME…] [--json] [--save]`. With --save the table replaces RESULTS.md's.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import setup, { missingName, urlName } from "../services/setup.ts";
import type { Bench, BenchLine } from "./bench.ts";

const words = process.argv.slice(2);
const json = words.includes("--json");
const names = words.filter((word) => !word.startsWith("--"));
const benches: Bench[] = [];
for (const file of ["store", "claims", "http", "ingest", "pipeline"]) {
  if (names.length === 0 || names.includes(file)) benches.push((await import(`./${file}.bench.ts`)).default);
}
if (benches.length === 0) {
  console.error(`no benchmark of the name ${names.join(", ")}`);
  process.exit(2);
}

process.env["WEIR_TEST_SERVICES"] = [...new Set(benches.flatMap((bench) => bench.needs))].join(",") || "none";
const stop = await setup();
const lines: BenchLine[] = [];
try {
  for (const bench of benches) {
    const missing = bench.needs.filter((name) => process.env[urlName(name)] === undefined);
    if (missing.length > 0) {
      for (const name of missing) console.error(`NOT RUN: ${bench.name} (${process.env[missingName(name)]})`);
      process.exitCode = 1;
      continue;
    }
    for (const line of await bench.run((text) => console.error(text))) {
      lines.push(line);
      console.log(json ? JSON.stringify(line) : row(line));
    }
  }
} finally {
  await stop();
}
if (words.includes("--save")) save(lines);
process.exit();

function row(line: BenchLine): string {
  const ratio = line.ratio === null ? "" : line.ratio.toFixed(2);
  const verdict = line.ok === null ? "" : line.ok ? "met" : "not met";
  return `| ${line.bench} | ${line.name} | ${round(line.value)} ${line.unit} | ${ratio} | ${line.goal ?? ""} | ${verdict} |`;
}

function round(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

// Each benchmark keeps its own block, so that one can be run again without the others.
function save(all: readonly BenchLine[]): void {
  const file = join(import.meta.dir, "RESULTS.md");
  let text = readFileSync(file, "utf8");
  for (const bench of new Set(all.map((line) => line.bench))) {
    const rows = all.filter((line) => line.bench === bench).map(row);
    const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}, ${new Date().toISOString().slice(0, 10)}`;
    const table = ["| bench | what | value | ratio | goal | |", "|---|---|---|---|---|---|", ...rows].join(
      "\n",
    );
    const block = `<!-- ${bench} -->\n${machine}\n\n${table}\n<!-- /${bench} -->`;
    const old = new RegExp(`<!-- ${bench} -->[^]*?<!-- /${bench} -->`);
    text = old.test(text) ? text.replace(old, () => block) : `${text.trimEnd()}\n\n## ${bench}\n\n${block}\n`;
  }
  writeFileSync(file, text);
}
