// The command for one's own question in SQL: read-only, bounded, over the stable views.
import type { Command } from "commander";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { queryRowsMax, queryStatementMs } from "../../shared/limits.ts";
import { toCsv } from "../read/csv.ts";
import { ownSelect, type Selected } from "../read/own-select.ts";
import { errorCode, isAway } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { plain } from "./quarantine-text.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  csv?: true;
  json?: true;
}

/** Adds the command to the program. */
export function registerQuery(program: Command, deps: AggregatorCommands): void {
  program
    .command("query")
    .description(
      "ask the store in SQL, read-only: daily_metrics, sessions, raw_events and the other stable views",
    )
    .argument("<sql>", "one select")
    .option("--csv", "the rows as CSV")
    .option("--json", "the result as one JSON object on the last line")
    .action((sql: string, flags: Flags) => runCommand(() => run(deps, sql, flags)));
}

async function run(deps: AggregatorCommands, sql: string, flags: Flags): Promise<number> {
  const store = await deps.openStore(deps.config().WEIR_READ_URL);
  try {
    const { columns, rows, isReader } = await ask(store, sql);
    if (!isReader) process.stderr.write(`${withoutReader}\n`);
    print(flags.json === true, { columns, rows }, () =>
      flags.csv === true ? toCsv(columns, rows).trimEnd() : textOf(columns, rows),
    );
    return exitCode.fine;
  } finally {
    await store.close();
  }
}

async function ask(store: Store, sql: string): Promise<Selected> {
  try {
    const selected = await ownSelect(store, sql);
    if (selected.rows.length > queryRowsMax) {
      throw new MisuseError(`more than ${queryRowsMax} rows: add a limit`);
    }
    return selected;
  } catch (error) {
    if (isAway(error) || error instanceof MisuseError || errorCode(error) === "") throw error;
    throw new MisuseError(errorCode(error) === "57014" ? tooSlow : (error as Error).message);
  }
}

const withoutReader =
  "asked with all rights of the connection: there is no role for it, as weir doctor tells";
const tooSlow = `it took over ${queryStatementMs / 1000} s`;

function textOf(columns: readonly string[], rows: Selected["rows"]): string {
  const cells = [columns, ...rows.map((row) => columns.map((name) => plain(row[name] ?? "")))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)));
  const lines = cells.map((line) =>
    line
      .map((value, at) => value.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "-".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}
