// Configuration: the environment read once, by one zod object a process, with every fault told at once.
import * as z from "zod/mini";

/** A faulty environment; `faults` are whole lines, none of which shows a value of a secret. */
export class ConfigError extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.name = "ConfigError";
    this.faults = faults;
  }
}

/** The environment as a plain record, and the way a `_FILE` name is read (absent where there is no disk). */
export interface ConfigSource {
  env: Readonly<Record<string, string | undefined>>;
  readFile?: (path: string) => string;
}

/**
 * Reads `schema` from the environment. `WEIR_X_FILE` stands for `WEIR_X` and reads a file, its last line
 * break cut. A `WEIR_` name that is in no process's list is a fault and answered with the nearest known
 * one; `WEIR_TEST_*` and what Kubernetes injects for services are passed over.
 */
export function readConfig<Schema extends z.core.$ZodObject>(
  schema: Schema,
  source: ConfigSource,
  knownNames: readonly string[],
): z.output<Schema> {
  const faults: string[] = [];
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(source.env)) {
    if (!name.startsWith("WEIR_") || value === undefined || value === "" || isPassedOver(name, value))
      continue;
    const base = name.endsWith("_FILE") && !knownNames.includes(name) ? name.slice(0, -"_FILE".length) : name;
    if (!knownNames.includes(base)) {
      faults.push(`${name} is not a setting of Weir; the nearest is ${nearest(name, knownNames)}`);
    } else if (base !== name && source.env[base]) {
      faults.push(`${base} and ${name} are both set; keep one`);
    } else {
      const read = base === name ? value : fromFile(name, value, source, faults);
      if (read !== undefined) values[base] = read;
    }
  }
  const parsed = z.safeParse(schema, values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues)
      faults.push(`${issue.path.join(".") || "settings"}: ${issue.message}`);
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults);
  return parsed.data;
}

function isPassedOver(name: string, value: string): boolean {
  return (
    name.startsWith("WEIR_TEST_") ||
    /_SERVICE_(HOST|PORT)/.test(name) ||
    /^tcp:\/\//.test(value) ||
    /_PORT_\d+_/.test(name)
  );
}

function fromFile(name: string, path: string, source: ConfigSource, faults: string[]): string | undefined {
  try {
    if (source.readFile === undefined) throw new Error("this runtime reads no files");
    return source.readFile(path).replace(/\r?\n$/, "");
  } catch (error) {
    faults.push(`${name}: ${path} cannot be read (${error instanceof Error ? error.message : "unknown"})`);
    return undefined;
  }
}

function nearest(name: string, known: readonly string[]): string {
  let best = "";
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

// Levenshtein's distance by one row; names are short.
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
