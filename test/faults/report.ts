// The suite's figures as lines for a terminal and as the README's table.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { raise } from "./caps.ts";
import type { FaultLine } from "./run-fault.ts";

const figures = [
  "sent",
  "acked",
  "stored",
  "duplicate",
  "quarantined",
  "caught_in_flight",
  "lost",
  "extra",
  "wrongly_refused",
] as const;

/** All faults added up; the longest recovery and the highest peaks stand for all. */
export function sumOf(lines: readonly FaultLine[]): FaultLine {
  const sum: FaultLine = {
    fault: "sum",
    sent: 0,
    acked: 0,
    stored: 0,
    duplicate: 0,
    quarantined: 0,
    caught_in_flight: 0,
    lost: 0,
    extra: 0,
    wrongly_refused: 0,
    recovered_ms: 0,
    peak_mib: {},
    peak_disk_bytes: {},
  };
  for (const line of lines) {
    for (const name of figures) sum[name] += line[name];
    sum.recovered_ms = Math.max(sum.recovered_ms, line.recovered_ms);
    for (const peaks of ["peak_mib", "peak_disk_bytes"] as const) {
      for (const [name, value] of Object.entries(line[peaks])) raise(sum[peaks], name, value);
    }
  }
  return sum;
}

/** One fault as a line of a table. */
export const textOf = (line: FaultLine): string =>
  [
    line.fault.padEnd(30),
    ...figures.map((name) => `${name} ${line[name]}`),
    `recovered ${line.recovered_ms} ms`,
    `memory ${Math.max(0, ...Object.values(line.peak_mib))} MiB`,
  ].join("  ");

const readme = join(import.meta.dirname, "../../README.md");
const block = /(<!-- faults -->\n)[\s\S]*?(<!-- \/faults -->)/;

/**
 * Renews the rows of `lines` between the README's markers, in the order of `names`. A fault that was not run
 * keeps the row it has, if that is of as many events.
 */
export function saveReadme(lines: readonly FaultLine[], events: number, names: readonly string[]): void {
  const text = readFileSync(readme, "utf8");
  writeFileSync(readme, renewed(text, lines, events, names));
}

export function renewed(
  text: string,
  lines: readonly FaultLine[],
  events: number,
  names: readonly string[],
): string {
  const about = `Each fault met ${events.toLocaleString("en-US")} events and their copies.`;
  const before = block.exec(text)?.[0] ?? "";
  const rows = new Map<string, string[]>();
  if (before.includes(about))
    for (const [, name = "", cells = ""] of before.matchAll(row)) rows.set(name, cells.split(" | "));
  for (const line of lines) rows.set(line.fault, cellsOf(line));
  // Another store's rows come after all of the first.
  const rank = (name: string): number =>
    names.indexOf(name.replace(/@.*/, "")) + (name.includes("@") ? names.length : 0);
  const known = [...rows].filter(([name]) => names.includes(name.replace(/@.*/, "")));
  const named = known.sort(([one], [other]) => rank(one) - rank(other));
  const cells = named.map(([name, own]) => [`\`${name}\``, ...own]);
  const sum = ["all of them", ...sumCells(named.map(([, own]) => own))];
  const table = [head, head.map(() => "---"), ...cells, sum].map((one) => `| ${one.join(" | ")} |`);
  return text.replace(block, (_, begin, end) => `${begin}${about}\n\n${table.join("\n")}\n${end}`);
}

const row = /^\| `(\S+)` \| (.*) \|$/gm;

const head = [
  "fault",
  "acked",
  "stored",
  "caught in flight",
  "lost",
  "extra",
  "wrongly refused",
  "recovered in",
];

const cellsOf = (line: FaultLine): string[] => [
  ...[line.acked, line.stored, line.caught_in_flight, line.lost, line.extra, line.wrongly_refused].map(
    (count) => count.toLocaleString("en-US"),
  ),
  `${(line.recovered_ms / 1000).toFixed(1)} s`,
];

/** Counts add up; the longest time, which stands last, is that of all. */
function sumCells(rows: readonly string[][]): string[] {
  const numbers = rows.map((cells) => cells.map((cell) => Number.parseFloat(cell.replaceAll(",", ""))));
  const counts =
    numbers[0]?.slice(0, -1).map((_, at) => numbers.reduce((sum, row) => sum + row[at]!, 0)) ?? [];
  const longest = Math.max(0, ...numbers.map((row) => row.at(-1)!));
  return [...counts.map((count) => count.toLocaleString("en-US")), `${longest.toFixed(1)} s`];
}
