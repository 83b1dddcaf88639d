// The command that tells what was done with what is kept here.
import { type Command, Option } from "commander";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { auditActions } from "../audit.ts";
import { type AuditPage, auditParameters, listAudit } from "../read/audit.ts";
import type { AggregatorCommands } from "./register.ts";

type Flags = Record<"project" | "action" | "from" | "to" | "limit" | "cursor", string | undefined> & {
  json?: true;
};

/** Adds the command to the program. */
export function registerAudit(program: Command, deps: AggregatorCommands): void {
  program
    .command("audit")
    .description("list retries, discards, erasures, retention and replays: who, when, why; the newest first")
    .option("--project <project>", "one project")
    .addOption(new Option("--action <action>", "what was done").choices(auditActions))
    .option("--from <time>", "done at this time or later: a date or an RFC 3339 time")
    .option("--to <time>", "done before this time; a bare date means the end of that day")
    .option("--limit <rows>", "rows at most, up to 1000", "50")
    .option("--cursor <id>", "go on behind this row, as the last answer said")
    .option("--json", "the result as one JSON object on the last line")
    .action(({ json, ...flags }: Flags) =>
      runCommand(async () => {
        const parsed = auditParameters.safeParse(flags);
        if (!parsed.success) {
          const faults = parsed.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`);
          throw new MisuseError(faults.join("; "));
        }
        const store = await deps.openStore();
        try {
          const page = await listAudit(store.sql, parsed.data);
          print(json === true, { ...page }, () => pageText(page));
          return exitCode.fine;
        } finally {
          await store.close();
        }
      }),
    );
}

function pageText({ rows, next }: AuditPage): string {
  if (rows.length === 0) return "nothing was done yet";
  const lines = rows.map(({ at, action, actor, project, target, event, outcome, why }) => {
    const what = target !== "" ? target : event !== null ? `event ${event}` : "an event";
    const found = outcome === action ? "" : outcome;
    return [at, action, what, project, actor, found, why].filter((part) => part !== "").join("  ");
  });
  return [...lines, ...(next === null ? [] : [`more: --cursor ${next}`])].join("\n");
}
