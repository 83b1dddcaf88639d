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

/** Renews the table between the README's markers. */
export function saveReadme(lines: readonly FaultLine[], events: number): void {
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
  const rows = lines.map((line) => [
    line.fault === "sum" ? "all of them" : `\`${line.fault}\``,
    ...[line.acked, line.stored, line.caught_in_flight, line.lost, line.extra, line.wrongly_refused].map(
      (count) => count.toLocaleString("en-US"),
    ),
    `${(line.recovered_ms / 1000).toFixed(1)} s`,
  ]);
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  const about = `Each fault met ${events.toLocaleString("en-US")} events and their copies.`;
  const text = readFileSync(readme, "utf8");
  writeFileSync(
    readme,
    text.replace(block, (_, begin, end) => `${begin}${about}\n\n${table}\n${end}`),
  );
}
