// The figures as a table for people, and RESULTS.md, where the last run of each benchmark is kept.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import type { BenchLine } from "./bench.ts";

export function rowOf(line: BenchLine): string {
  const ratio = line.ratio === null ? "" : line.ratio.toFixed(2);
  const verdict = line.ok === null ? "" : line.ok ? "met" : "not met";
  return `| ${line.bench} | ${line.name} | ${rounded(line.value)} ${line.unit} | ${ratio} | ${line.goal ?? ""} | ${verdict} |`;
}

/** Replaces the block of every benchmark that was run; the others keep theirs. */
export function saveTables(all: readonly BenchLine[]): void {
  const file = join(import.meta.dir, "RESULTS.md");
  let text = readFileSync(file, "utf8");
  for (const bench of new Set(all.map((line) => line.bench))) {
    const rows = all.filter((line) => line.bench === bench).map(rowOf);
    const day = new Date().toISOString().slice(0, 10);
    const machine = `${cpus().length} cores, ${cpus()[0]?.model ?? "unknown"}, ${day}`;
    const table = ["| bench | what | value | ratio | goal | |", "|---|---|---|---|---|---|", ...rows];
    const block = `<!-- ${bench} -->\n${machine}\n\n${table.join("\n")}\n<!-- /${bench} -->`;
    const old = new RegExp(`<!-- ${bench} -->[^]*?<!-- /${bench} -->`);
    text = old.test(text) ? text.replace(old, () => block) : `${text.trimEnd()}\n\n## ${bench}\n\n${block}\n`;
  }
  writeFileSync(file, text);
}

function rounded(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
