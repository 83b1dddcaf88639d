// The command for one's own question in SQL: read-only, bounded, over the stable views.
import type { Command } from "commander";
import type { ColumnList, Row } from "postgres";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { queryRowsMax, queryStatementMs } from "../../shared/limits.ts";
import { toCsv } from "../read/csv.ts";
import { errorCode, isAway } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  csv?: true;
  json?: true;
}

type Line = Record<string, string | null>;

/** Adds the command to the program. */
export function registerQuery(program: Command, deps: AggregatorCommands): void {
  program
    .command("query")
    .description("ask the store in SQL, read-only: daily_metrics, sessions, users and the other stable views")
    .argument("<sql>", "one select")
    .option("--csv", "the rows as CSV")
    .option("--json", "the result as one JSON object on the last line")
    .action((sql: string, flags: Flags) => runCommand(() => run(deps, sql, flags)));
}

async function run(deps: AggregatorCommands, sql: string, flags: Flags): Promise<number> {
  const store = await deps.openStore(deps.config().WEIR_READ_URL);
  try {
    const { columns, rows } = await ask(store, sql);
    print(flags.json === true, { columns, rows }, () =>
      flags.csv === true ? toCsv(columns, rows).trimEnd() : textOf(columns, rows),
    );
    return exitCode.fine;
  } finally {
    await store.close();
  }
}

/**
 * Values are answered as PostgreSQL writes them. A cursor is no place for anything but a select, and the
 * transaction for none that writes.
 */
async function ask(store: Store, sql: string): Promise<{ columns: string[]; rows: Line[] }> {
  const session = await store.writer();
  try {
    return (await session.begin("read only", async (tx) => {
      await tx`select set_config('statement_timeout', ${String(queryStatementMs)}, true)`;
      await tx.unsafe(`declare asked no scroll cursor for ${sql}`, [], oneStatement);
      const fetch = tx.unsafe<Row[]>(`fetch ${queryRowsMax + 1} from asked`);
      const lines: readonly (readonly (Buffer | null)[])[] & { columns: ColumnList<string> } =
        await fetch.raw();
      if (lines.length > queryRowsMax) throw new MisuseError(`more than ${queryRowsMax} rows: add a limit`);
      const columns = namesOf(lines.columns.map(({ name }) => name));
      const rows = lines.map((line) =>
        Object.fromEntries(columns.map((name, at) => [name, line[at]?.toString("utf8") ?? null])),
      );
      return { columns, rows };
    })) as { columns: string[]; rows: Line[] };
  } catch (error) {
    if (isAway(error) || error instanceof MisuseError || errorCode(error) === "") throw error;
    throw new MisuseError(errorCode(error) === "57014" ? tooSlow : (error as Error).message);
  } finally {
    await session.end({ timeout: 1 });
  }
}

/** By the extended protocol, which takes one statement alone: a second could end the transaction and write. */
const oneStatement = { simple: false } as object;

const tooSlow = `it took over ${queryStatementMs / 1000} s`;

// Two columns may have one name.
const namesOf = (names: readonly string[]): string[] =>
  names.map((name, at) => (names.indexOf(name) === at ? name : `${name}_${at + 1}`));

function textOf(columns: readonly string[], rows: readonly Line[]): string {
  const cells = [columns, ...rows.map((row) => columns.map((name) => row[name] ?? ""))];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)));
  const lines = cells.map((line) =>
    line
      .map((value, at) => value.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "-".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}
