// One's own select: read-only, bounded, and with no rights but those over the stable views.
import type { ColumnList, Row, TransactionSql } from "postgres";
import { queryRowsMax, queryStatementMs } from "../../shared/limits.ts";
import { errorCode } from "../store/errors.ts";
import { isReaderKept } from "../store/reader.ts";
import type { Store } from "../store/store.ts";

/**
 * How a select over all of the events is planned best. Compiling a plan of many chunks takes seconds, which no answer
 * within the limit earns back. By the server's own costs no worker helps where groups may be many, and it knows
 * nothing of a day or a property: 5 million events by type and day took 2.2 s, and take 0.36.
 */
export const ownSelectSettings: Readonly<Record<string, string>> = {
  jit: "off",
  parallel_tuple_cost: "0.01",
};

export interface Selected {
  columns: string[];
  /** Values as PostgreSQL writes them; one row more than `queryRowsMax` where there are more. */
  rows: Record<string, string | null>[];
  /** false: this server has no role for it, and it ran with all the rights that the connection has. */
  isReader: boolean;
}

/**
 * Runs `sql`, which must be one select, in a transaction that writes nothing. Rejects with what the server says.
 * The text is described first: by the extended protocol, which takes one statement and runs none.
 */
export async function ownSelect(store: Store, sql: string): Promise<Selected> {
  const session = await store.writer();
  try {
    return (await session.begin("read only", async (tx) => {
      await tx`select set_config('statement_timeout', ${String(queryStatementMs)}, true)`;
      for (const [name, value] of Object.entries(ownSelectSettings))
        await tx`select set_config(${name}, ${value}, true)`;
      if (!(await isReaderKept(tx, store.schema))) return { ...(await askAsOwner(tx, sql)), isReader: false };
      const { columns: described } = await tx.unsafe(sql).describe();
      const columns = namesOf(described.map(({ name }) => name));
      const whole = sql.replace(/[;\s]+$/, "");
      const lines = await tx<{ line: string }[]>`
        select ask as line from ask(${whole}, ${queryRowsMax + 1}::int)`.catch(asNoSelect);
      return { columns, rows: lines.map(({ line }) => rowOf(columns, readRecord(line))), isReader: true };
    })) as Selected;
  } finally {
    await session.end({ timeout: 1 });
  }
}

// What was described is a statement, so that it is no select where it cannot stand within one.
function asNoSelect(error: unknown): never {
  if (errorCode(error) !== "42601") throw error;
  throw Object.assign(new Error("this is not one select", { cause: error }), { code: "42601" });
}

// A cursor is no place for anything but a select, and the transaction for none that writes.
async function askAsOwner(tx: TransactionSql, sql: string): Promise<Pick<Selected, "columns" | "rows">> {
  await tx.unsafe(`declare asked no scroll cursor for ${sql}`, [], oneStatement);
  const fetch = tx.unsafe<Row[]>(`fetch ${queryRowsMax + 1} from asked`);
  const lines: readonly (readonly (Buffer | null)[])[] & { columns: ColumnList<string> } = await fetch.raw();
  const columns = namesOf(lines.columns.map(({ name }) => name));
  return {
    columns,
    rows: lines.map((line) =>
      rowOf(
        columns,
        line.map((value) => value?.toString("utf8") ?? null),
      ),
    ),
  };
}

/** By the extended protocol, which takes one statement alone: a second could end the transaction and write. */
const oneStatement = { simple: false } as object;

// Two columns may have one name.
const namesOf = (names: readonly string[]): string[] =>
  names.map((name, at) => (names.indexOf(name) === at ? name : `${name}_${at + 1}`));

const rowOf = (
  columns: readonly string[],
  values: readonly (string | null)[],
): Record<string, string | null> => Object.fromEntries(columns.map((name, at) => [name, values[at] ?? null]));

/** The values of a record as PostgreSQL writes one: (plain,"quoted ""so""",,"") has null in its third place. */
export function readRecord(text: string): (string | null)[] {
  const values: (string | null)[] = [];
  // Looked through once, whatever its length: a value may have hundreds of megabytes.
  for (let at = 1; ; at += 1) {
    const quoted = text[at] === '"' ? readQuoted(text, at + 1) : undefined;
    const comma = text.indexOf(",", quoted?.end ?? at);
    const end = comma === -1 ? text.length - 1 : comma;
    values.push(quoted?.value ?? (end === at ? null : text.slice(at, end)));
    if (comma === -1) return values;
    at = comma;
  }
}

// Up to the quote that is not doubled; a backslash, too, stands before what it is not itself.
function readQuoted(text: string, start: number): { value: string; end: number } {
  const special = /["\\]/g;
  special.lastIndex = start;
  let value = "";
  for (let from = start; ; from = special.lastIndex) {
    const at = special.exec(text)?.index ?? text.length;
    value += text.slice(from, at);
    if (at === text.length || (text[at] === '"' && text[at + 1] !== '"')) return { value, end: at + 1 };
    value += text[at + 1];
    special.lastIndex = at + 2;
  }
}
