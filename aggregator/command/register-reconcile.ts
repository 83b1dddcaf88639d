// The command that proves the conservation of events, once or again and again.
import { type Command, Option } from "commander";
import type { z } from "zod";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand, untilStopped } from "../../shared/command.ts";
import { acknowledgeEntries, type LedgerEntry } from "../ledger/entries.ts";
import { reconcile } from "../ledger/reconcile.ts";
import { proofSettings } from "../ledger/spools.ts";
import { type LedgerAsked, ledgerParameters } from "../read/ledger.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./actor.ts";
import { reconcileText } from "./reconcile-text.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  by?: string;
  project?: string;
  from?: string;
  to?: string;
  tz?: string;
  spool: string[];
  edge: string[];
  reports?: true;
  watch?: true;
  every: string;
  keep?: true;
  acknowledge: string[];
  note?: string;
  json?: true;
}

/** Adds the command to the program. */
export function registerReconcile(program: Command, deps: AggregatorCommands): void {
  program
    .command("reconcile")
    .description("prove that every event received is stored, a duplicate or in quarantine; exit 1 if not")
    .addOption(new Option("--by <key>", "show the sums part by part, too").choices(["project", "hour"]))
    .option("--project <project>", "show those of one project")
    .option("--from <time>", "show those of batches received at or after this: a date or an RFC 3339 time")
    .option("--to <time>", "show those received before this; a date means its end")
    .option("--tz <zone>", "time zone of dates; UTC if absent")
    .option("--spool <folder>", "look into this collector's spool, too; may be repeated", collect, [])
    .option("--edge <url>", "ask this edge what its buffer holds, too; may be repeated", collect, [])
    .option("--reports", "show what is no fault of ours, too: client ids that were given two times")
    .option("--watch", "look again and again; ends with 1 at the first look that does not hold")
    .option("--every <seconds>", "with --watch: seconds between two looks", "5")
    .option("--keep", "with --watch: go on where a look does not hold; the last one decides")
    .option(
      "--acknowledge <entry>",
      "live with an entry named here: it stays counted, and is no fault any more; may be repeated",
      collect,
      [],
    )
    .option("--note <text>", "with --acknowledge: why; both go into the audit")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => run(deps, flags)));
}

async function run(deps: AggregatorCommands, flags: Flags): Promise<number> {
  const everyMs = Number(flags.every) * 1000;
  if (!(everyMs >= 100 && everyMs <= 86_400_000)) throw new MisuseError("--every: 0.1 to 86400 seconds");
  if (flags.keep === true && flags.watch !== true) throw new MisuseError("--keep goes with --watch");
  const asked = askedOf(flags);
  checkNote(flags);
  const store = await deps.openStore();
  try {
    const reader = await (await deps.openLog()).reader();
    const settings = proofSettings(deps.config());
    const spools = [...new Set([...settings.spools, ...flags.spool])];
    const edges = [...new Set([...settings.buffers.edges, ...flags.edge])];
    const places = { spools, buffers: { ...settings.buffers, edges } };
    const stop = new AbortController();
    if (flags.watch === true) void untilStopped().then(() => stop.abort());
    try {
      for (;;) {
        const prove = () =>
          reconcile({ store, reader, ...settings, ...places, asked, reports: flags.reports });
        let answer = await prove();
        if (flags.acknowledge.length > 0) {
          await acknowledge(store, answer.entries, flags);
          answer = await prove();
        }
        print(flags.json === true, { ...answer }, () => reconcileText(answer));
        const code = answer.ok ? exitCode.fine : exitCode.failed;
        if (flags.watch !== true || (!answer.ok && flags.keep !== true)) return code;
        await systemClock.sleep(everyMs, stop.signal);
        if (stop.signal.aborted) return code;
      }
    } finally {
      await reader.close();
    }
  } finally {
    await store.close();
  }
}

function checkNote({ acknowledge, note, watch }: Flags): void {
  if (acknowledge.length > 0 && watch === true)
    throw new MisuseError("--acknowledge does not go with --watch");
  if (acknowledge.length > 0 && (note ?? "").trim() === "")
    throw new MisuseError("--acknowledge wants a --note");
  if (acknowledge.length === 0 && note !== undefined) throw new MisuseError("--note goes with --acknowledge");
}

async function acknowledge(
  store: Store,
  entries: readonly LedgerEntry[],
  { acknowledge: names, note = "" }: Flags,
): Promise<void> {
  const meant = names.map((name) => {
    const found = entries.find(({ entry }) => entry === name);
    if (found === undefined) throw new MisuseError(`--acknowledge: no proof finds an entry ${name} now`);
    return found;
  });
  await acknowledgeEntries(store, meant, { actor: actorOf(), note });
}

const collect = (one: string, all: string[]): string[] => [...all, one];

// Without any of them nothing is shown part by part.
function askedOf({ by, project, from, to, tz }: Flags): LedgerAsked | undefined {
  const given = Object.fromEntries(
    Object.entries({ by, project, from, to, tz }).filter(([, value]) => value !== undefined),
  );
  if (Object.keys(given).length === 0) return undefined;
  const parsed = ledgerParameters.safeParse(given);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue;
  throw new MisuseError(`--${path.join(".")}: ${message}`);
}
