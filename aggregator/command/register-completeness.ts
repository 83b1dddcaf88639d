// The command that tells how much of what clients numbered has arrived, and where the holes are.
import { type Command, Option } from "commander";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Answer, Query } from "../read/answer.ts";
import { askCompleteness, completenessKeys } from "../read/completeness.ts";
import type { Store } from "../store/store.ts";
import { gapsText, groupsText, totalText } from "./completeness.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  by: string;
  from?: string;
  to?: string;
  tz?: string;
  project?: string;
  gaps?: true;
  limit?: string;
  cursor?: string;
  failOnGap?: true;
  json?: true;
}

/** Adds the command to the program. */
export function registerCompleteness(program: Command, deps: AggregatorCommands): void {
  const keys = completenessKeys.filter((key) => key !== "stream");
  program
    .command("completeness")
    .description("compare what clients numbered with what has an outcome here: what is missing, and where")
    .addOption(new Option("--by <key>", "put streams together by it").choices(keys).default("total"))
    .option("--from <time>", "streams seen at or after this: a date or an RFC 3339 time")
    .option("--to <time>", "streams seen before this; a date means its end")
    .option("--tz <zone>", "time zone of dates; UTC if absent")
    .option("--project <project>", "one project; all of them if absent")
    .option("--gaps", "list the streams with a gap, and the numbers they miss")
    .option("--limit <count>", "with --gaps: streams at most; 100 if absent")
    .option("--cursor <cursor>", "with --gaps: go on behind the last answer, as it said")
    .option("--fail-on-gap", "exit 1 where there is a gap")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => run(deps, flags)));
}

async function run(deps: AggregatorCommands, flags: Flags): Promise<number> {
  const isListing = flags.gaps === true;
  if (!isListing && (flags.limit !== undefined || flags.cursor !== undefined)) {
    throw new MisuseError("--limit and --cursor go with --gaps");
  }
  const store = await deps.openStore();
  try {
    const total = (await ask(store, { ...span(flags), by: ["total"] })).data[0]!;
    const by = isListing ? "stream" : flags.by;
    const paging = isListing ? given({ limit: flags.limit, cursor: flags.cursor }) : {};
    const found = by === "total" ? undefined : await ask(store, { ...span(flags), ...paging, by: [by] });
    const rows = found?.data ?? [];
    const next = found?.meta.next_cursor ?? null;
    const gap = Number(total["gap"]);
    const result = { ok: gap === 0, ...total, by, rows, ...(isListing ? { next } : {}) };
    print(flags.json === true, result, () => {
      if (by === "total") return totalText(total);
      return `${totalText(total)}\n\n${isListing ? gapsText(rows, next) : groupsText(by, rows)}`;
    });
    return flags.failOnGap === true && gap > 0 ? exitCode.failed : exitCode.fine;
  } finally {
    await store.close();
  }
}

async function ask(store: Store, query: Query): Promise<Answer> {
  try {
    return await askCompleteness(store.sql, query);
  } catch (error) {
    if (error instanceof WeirError && error.code === "invalid_query") throw new MisuseError(error.message);
    throw error;
  }
}

const span = ({ from, to, tz, project }: Flags): Query => given({ from, to, tz, project });

function given(values: Readonly<Record<string, string | undefined>>): Query {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value]]])),
  );
}
