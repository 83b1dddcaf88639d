// The commands that remove rows for good: a project's old ones, and those of one subject.
import type { Command } from "commander";
import { z } from "zod";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { pseudonymsOf } from "../../shared/event/pseudonym.ts";
import { retry } from "../../shared/retry.ts";
import { redactText } from "../../shared/telemetry/logger.ts";
import type { SubjectKind } from "../lifecycle/bars.ts";
import { eraseSubject, expireEvents, type Removed } from "../lifecycle/remove.ts";
import { readPolicy } from "../projects.ts";
import { refreshHours } from "../store/continuous.ts";
import { errorText, isPassing } from "../store/errors.ts";
import { migrate } from "../store/migrate.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./actor.ts";
import type { AggregatorCommands } from "./register.ts";

interface ExpireFlags {
  project: string;
  type?: string;
  before: string;
  json?: true;
}

interface EraseFlags {
  project: string;
  user?: string;
  anonymous?: string;
  until?: string;
  json?: true;
}

/** A refresh of the hours after few changes takes some 100 ms, and one is made at a time. */
const again = { attemptsMax: 10, baseMs: 100, waitMsMax: 2_000 };

const behind = "hourly_dimensions shows it within 15 minutes; it could not be brought up to date now";

const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

/** Adds the commands to the program. */
export function registerLifecycle(program: Command, deps: AggregatorCommands): void {
  program
    .command("expire")
    .description("remove a project's events before a time; later copies of them are counted as expired")
    .option("--project <project>", "project", "default")
    .option("--type <type>", "events of this type alone")
    .requiredOption("--before <time>", "the first moment that stays: a date (UTC) or an RFC 3339 time")
    .option("--json", "the result as one JSON object on the last line")
    .action(({ project, type, before, json }: ExpireFlags) =>
      run(deps, json, (store) => {
        const from = momentOf("--before", before);
        if (from > Date.now()) throw new MisuseError("--before: only what is past can be removed");
        return expireEvents(store, { project, type, from, actor: actorOf() });
      }),
    );
  program
    .command("erase")
    .description("remove what is known of a subject; later copies of its events are counted as erased")
    .option("--project <project>", "project", "default")
    .option("--user <id>", "the subject's user_id")
    .option("--anonymous <id>", "the subject's anonymous_id")
    .option(
      "--until <time>",
      "the last event time that goes: a date (its begin, UTC) or an RFC 3339 time; now if absent",
    )
    .option("--json", "the result as one JSON object on the last line")
    .action(({ project, user, anonymous, until, json }: EraseFlags) =>
      run(deps, json, async (store) => {
        const [kind, subject] = subjectOf(user, anonymous);
        const given = until === undefined ? Date.now() : momentOf("--until", until);
        // Where the project stores pseudonyms, it is known by all that it ever had.
        const names = [subject, ...pseudonymsOf(await readPolicy(store.sql, project), subject)];
        const removed = { rows: 0, quarantined: 0 };
        for (const id of names) {
          const done = await eraseSubject(store, { project, kind, id, actor: actorOf(), until: given });
          removed.rows += done.rows;
          removed.quarantined += done.quarantined;
        }
        return removed;
      }),
    );
}

function run(
  deps: AggregatorCommands,
  json: true | undefined,
  work: (store: Store) => Promise<Removed>,
): Promise<void> {
  return runCommand(async () => {
    const store = await deps.openStore();
    try {
      await migrate(store);
      const removed = await work(store);
      // What is removed is removed, whatever becomes of this; the server's own policy does the same.
      await retry(again, systemClock, () => refreshHours(store), isPassing).catch((error: unknown) => {
        process.stderr.write(`${behind}: ${redactText(errorText(error))}\n`);
      });
      print(json === true, { ...removed }, () => {
        const kept = removed.quarantined > 0 ? `, ${removed.quarantined} events in quarantine` : "";
        return `removed ${removed.rows} events${kept}`;
      });
      return exitCode.fine;
    } finally {
      await store.close();
    }
  });
}

function subjectOf(user: string | undefined, anonymous: string | undefined): [SubjectKind, string] {
  if (user !== undefined && anonymous === undefined && user !== "") return ["user_id", user];
  if (anonymous !== undefined && user === undefined && anonymous !== "") return ["anonymous_id", anonymous];
  throw new MisuseError("name one subject, with --user or with --anonymous");
}

function momentOf(flag: string, text: string): number {
  if (!moment.safeParse(text).success) throw new MisuseError(`${flag}: not a date or an RFC 3339 time`);
  return Date.parse(text);
}
