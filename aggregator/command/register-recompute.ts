// The command that makes the figures of the read models anew, and says whether that changed any.
import type { Command } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { models } from "../model/models.ts";
import { type Recomputed, recompute } from "../model/recompute.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  from: string;
  to: string;
  project?: string;
  json?: true;
}

/** Adds the command to the program. */
export function registerRecompute(program: Command, deps: AggregatorCommands): void {
  program
    .command("recompute")
    .description("make the figures of the read models anew from the events; exit 1 where any was wrong")
    .requiredOption("--from <date>", "first UTC day")
    .requiredOption("--to <date>", "last UTC day")
    .option("--project <project>", "one project; all of them if absent")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => run(deps, flags)));
}

async function run(deps: AggregatorCommands, flags: Flags): Promise<number> {
  for (const name of ["from", "to"] as const) {
    const isDate = /^\d{4}-\d\d-\d\d$/.test(flags[name]) && !Number.isNaN(Date.parse(flags[name]));
    if (!isDate) throw new MisuseError(`--${name}: needs a date such as 2026-11-30`);
  }
  if (flags.from > flags.to) throw new MisuseError("--from: lies behind --to");
  const store = await deps.openStore();
  try {
    const session = await store.writer();
    const { project, from, to } = flags;
    const answer = await recompute({ session, models, clock: systemClock, project, from, to });
    const ok = answer.changed.length === 0;
    print(flags.json === true, { ok, ...answer }, () => textOf(answer));
    return ok ? exitCode.fine : exitCode.failed;
  } finally {
    await store.close();
  }
}

function textOf({ days, frozen, changed }: Recomputed): string {
  const left = frozen === 0 ? "" : `; ${frozen} left as they are, for events of them have expired`;
  if (changed.length === 0) return `${days} days made anew, and no figure changed${left}`;
  const lines = changed.map(({ project, day, model }) => `${day} ${project}: ${model} was wrong`);
  return [...lines, `${days} days made anew, ${changed.length} figures changed${left}`].join("\n");
}
