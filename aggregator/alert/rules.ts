// The rules in force: those of one's own file, or those that are built in. A faulty file is refused whole.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../../shared/config.ts";
import { type Rule, ruleSchema } from "./rule.ts";

/** Each is measured in turn; so many take seconds where a store is slow. */
const rulesMax = 200;
/** More than two hundred rules at their longest. */
const fileBytesMax = 1024 * 1024;

/** What holds without a file; a file has them too where it says `defaults: true`. None fires on an idle store. */
const builtIn: readonly unknown[] = [
  {
    name: "ledger_not_closing",
    kind: "ledger",
    severity: "page",
    for: "2m",
    summary: "The ledger does not close: run weir reconcile",
  },
  {
    name: "events_missing",
    kind: "completeness",
    percent_above: 1,
    least: 1_000,
    window: "1d",
    for: "15m",
    summary:
      "More than one in a hundred numbered events of the last day is missing: run weir completeness --gaps",
  },
  {
    name: "nothing_stored",
    kind: "no_data",
    severity: "page",
    after: "1h",
    steady: true,
    summary: "Nothing has been stored for an hour, after a day with events in every hour",
  },
];

const fileSchema = z.strictObject({
  defaults: z.boolean().default(false),
  rules: z.array(z.unknown()).max(rulesMax).default([]),
});

/** The rules of a file, or the built-in ones without one. Throws a ConfigError that names every fault. */
export function loadRules(path: string | undefined): Rule[] {
  if (path === undefined) return readRules({ defaults: true });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new ConfigError([`${path} cannot be read (${why})`]);
  }
  try {
    if (text.length > fileBytesMax) throw new ConfigError([`has more than ${fileBytesMax} bytes`]);
    return readRules(parseText(text));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.faults.map((fault) => `${path}: ${fault}`));
  }
}

// JSON is YAML, too.
function parseText(text: string): unknown {
  try {
    return Bun.YAML.parse(text);
  } catch (error) {
    throw new ConfigError([`is no YAML: ${error instanceof Error ? error.message : "unknown"}`]);
  }
}

/** Checks rules as a file holds them. Throws a ConfigError that names every fault of every rule. */
export function readRules(content: unknown): Rule[] {
  const file = fileSchema.safeParse(content ?? {});
  if (!file.success) {
    throw new ConfigError(
      file.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`),
    );
  }
  const given = [...(file.data.defaults ? builtIn : []), ...file.data.rules];
  const faults: string[] = [];
  const rules: Rule[] = [];
  const names = new Set<string>();
  for (const [at, one] of given.entries()) {
    const name = nameOf(one) ?? `rules.${at - given.length + file.data.rules.length}`;
    if (names.has(name)) faults.push(`${name}: is the name of two rules`);
    names.add(name);
    const parsed = ruleSchema.safeParse(one);
    if (parsed.success) rules.push(parsed.data);
    else for (const issue of parsed.error.issues) faults.push(faultText(name, issue));
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return rules;
}

function faultText(name: string, { path, message }: z.core.$ZodIssue): string {
  return path.length === 0 ? `${name}: ${message}` : `${name}: ${path.join(".")}: ${message}`;
}

function nameOf(one: unknown): string | undefined {
  const name = typeof one === "object" && one !== null && "name" in one ? one.name : undefined;
  return typeof name === "string" && name.length <= 64 ? name : undefined;
}
