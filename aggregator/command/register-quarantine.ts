// The commands over the quarantine: look at it, send events in again, or say that they are not wanted.
import { type Command, Option } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { silentMeter } from "../../shared/meter.ts";
import { quarantineReasons } from "../../shared/problem.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { discardRows } from "../quarantine/discard.ts";
import { retryRows } from "../quarantine/retry.ts";
import { isRecordId, quarantineStatuses, type Selection } from "../quarantine/selection.ts";
import { listQuarantine, showQuarantined, sumQuarantine } from "../read/quarantine.ts";
import { sumRecords } from "../read/quarantine-records.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./actor.ts";
import { jsonFlag } from "./on-store.ts";
import { idOf, readSelection, type SelectionFlags } from "./quarantine-flags.ts";
import { discardText, listText, retryText, showText } from "./quarantine-text.ts";
import type { AggregatorCommands } from "./register.ts";

interface ListFlags extends SelectionFlags {
  limit: string;
  cursor?: string;
  json?: boolean;
}

interface RetryFlags extends SelectionFlags {
  all?: boolean;
  asNew?: boolean;
  json?: boolean;
}

interface DiscardFlags extends SelectionFlags {
  all?: boolean;
  why: string;
  json?: boolean;
}

/** How long a retry waits until the ledger has what it sent. */
const waitMs = 30_000;

/** Adds the commands to the program. */
export function registerQuarantine(program: Command, deps: AggregatorCommands): void {
  const quarantine = program
    .command("quarantine")
    .description("events and records that were refused, whole and with their reason");
  filtered(
    quarantine.command("list").description("list records, then events, the newest first, with their sums"),
  )
    .addOption(new Option("--status <status>", "how they stand").choices(quarantineStatuses))
    .option("--limit <rows>", "rows at most, up to 1000", "50")
    .option("--cursor <id>", "go on behind this row, as the last answer said")
    .option(...jsonFlag)
    .action((flags: ListFlags) => runCommand(() => withStore(deps, (store) => list(store, flags))));
  quarantine
    .command("show")
    .description("show one: the event as it came, why it was refused, and what was done with it")
    .argument("<id>", "its number")
    .option(...jsonFlag)
    .action((id: string, flags: { json?: boolean }) =>
      runCommand(() => withStore(deps, (store) => show(store, idOf(id), flags.json === true))),
    );
  filtered(
    quarantine.command("retry").description("receive them anew; exit 1 unless all of them get through"),
  )
    .argument("[ids...]", "their numbers")
    .option("--all", "all that are open")
    .option("--as-new", "conflicts too, each under an identity of its own")
    .option(...jsonFlag)
    .action((ids: string[], flags: RetryFlags) =>
      runCommand(async () => {
        const asked = { selection: chosen(ids, flags), asNew: flags.asNew === true, actor: actorOf() };
        const work = async (store: Store, reenter?: Reenter): Promise<number> => {
          const options = { store, reenter, clock: systemClock, meter: silentMeter, waitMs };
          const answer = await retryRows(options, asked);
          print(flags.json === true, { ...answer }, () => retryText(answer));
          return answer.ok ? exitCode.fine : exitCode.failed;
        };
        // Records kept whole are written where they are; nothing has to be started for them.
        const isHere = asked.selection.ids?.every(isRecordId) === true;
        return isHere ? await withStore(deps, work) : await deps.withReenter(work);
      }),
    );
  filtered(quarantine.command("discard").description("mark them as not wanted; they stay counted"))
    .argument("[ids...]", "their numbers")
    .option("--all", "all that are open")
    .requiredOption("--why <text>", "why; it is kept with who and when")
    .option(...jsonFlag)
    .action((ids: string[], flags: DiscardFlags) =>
      runCommand(() => withStore(deps, (store) => discard(store, ids, flags))),
    );
}

function filtered(command: Command): Command {
  return command
    .addOption(new Option("--reason <reason>", "why they were refused").choices(quarantineReasons))
    .option("--project <project>", "one project")
    .option("--from <time>", "received at this time or later: a date or an RFC 3339 time")
    .option("--to <time>", "received before this time; a bare date means the end of that day");
}

async function list(store: Store, flags: ListFlags): Promise<number> {
  const limit = Number(flags.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new MisuseError("--limit is 1 to 1000");
  const selection = readSelection(flags);
  const cursor = flags.cursor === undefined ? undefined : idOf(flags.cursor);
  const page = await listQuarantine(store.sql, selection, limit, cursor);
  const sums = await sumQuarantine(store.sql, selection);
  const records = await sumRecords(store.sql);
  print(flags.json === true, { ...page, sums, records }, () => listText(page, sums, records));
  return exitCode.fine;
}

async function show(store: Store, id: string, asJson: boolean): Promise<number> {
  const event = await showQuarantined(store.sql, id);
  if (event === undefined) throw new Error(`there is no event or record ${id} in quarantine`);
  print(asJson, { ...event }, () => showText(event));
  return exitCode.fine;
}

async function discard(store: Store, ids: readonly string[], flags: DiscardFlags): Promise<number> {
  const why = flags.why.trim();
  if (why === "" || why.length > 1_000) throw new MisuseError("--why takes 1 to 1000 characters");
  const answer = await discardRows(store, { selection: chosen(ids, flags), why, actor: actorOf() });
  print(flags.json === true, { ...answer }, () => discardText(answer));
  return answer.ok ? exitCode.fine : exitCode.failed;
}

// A slip of the hand must not mean everything: one says which, or that it is all.
function chosen(ids: readonly string[], flags: SelectionFlags & { all?: boolean }): Selection {
  const selection = readSelection(flags);
  if (ids.length > 0) {
    if (flags.all === true) throw new MisuseError("name rows, or use --all, not both");
    return { ...selection, ids: [...new Set(ids.map(idOf))] };
  }
  if (flags.all === true || flags.reason !== undefined) return selection;
  throw new MisuseError("name rows by their numbers, a --reason, or --all");
}

async function withStore<T>(deps: AggregatorCommands, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await deps.openStore();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
