// The commands that stand on the store: aggregator, migrate, and those of the files beside this one.
import type { Command } from "commander";
import { exitCode, print, runCommand, untilStopped } from "../../shared/command.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import type { AlertConfig } from "../alert/settings.ts";
import type { ProofConfig } from "../ledger/spools.ts";
import { makeNoticeTopics, type NoticeConfig } from "../notice/topics.ts";
import { migrate } from "../store/migrate.ts";
import type { Store } from "../store/store.ts";
import { registerAlerts } from "./register-alerts.ts";
import { registerAudit } from "./register-audit.ts";
import { registerCompleteness } from "./register-completeness.ts";
import { registerKeys } from "./register-keys.ts";
import { registerLifecycle } from "./register-lifecycle.ts";
import { registerProject } from "./register-project.ts";
import { registerQuarantine } from "./register-quarantine.ts";
import { registerQuery } from "./register-query.ts";
import { registerRecompute } from "./register-recompute.ts";
import { registerReconcile } from "./register-reconcile.ts";
import { registerReplay } from "./register-replay.ts";
import { registerSchema } from "./register-schema.ts";
import { registerTokens } from "./register-tokens.ts";
import { registerUpgrade } from "./register-upgrade.ts";

/** What the commands are given: openers for what the settings name or a flag does, and the process itself. */
export interface AggregatorCommands {
  openStore(url?: string, schema?: string): Promise<Store>;
  openLog(url?: string): Promise<Log>;
  config(): ProofConfig & AlertConfig & NoticeConfig & { WEIR_READ_URL?: string | undefined };
  /** Runs `work` with the store and an edge's way back in, as an import reaches it. */
  withReenter<T>(work: (store: Store, reenter: Reenter) => Promise<T>): Promise<T>;
  /** Starts the aggregator as a process of its own. */
  start(store: Store, log: Log): Promise<{ url: string; close(): Promise<void> }>;
}

/** Adds the commands to the program. */
export function registerAggregator(program: Command, deps: AggregatorCommands): void {
  program
    .command("aggregator")
    .description("run the aggregator: writes what the log holds, answers questions, serves the dashboard")
    .action(() => runCommand(() => serve(deps)));
  program
    .command("migrate")
    .description("make or bring up to date the schema and the topics")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: { json?: boolean }) =>
      runCommand(() =>
        withStore(deps, async (store) => {
          const { applied, current } = await migrate(store);
          const log = await deps.openLog();
          await log.create();
          await makeNoticeTopics(log, deps.config());
          const result = { applied, current, flavour: store.flavour, log: log.label };
          print(flags.json === true, result, () => {
            const done = applied.length === 0 ? "nothing to do" : `applied ${applied.join(", ")}`;
            return `${done}; the schema is at ${current} on ${store.flavour}, the topic is on ${log.label}`;
          });
          return exitCode.fine;
        }),
      ),
    );
  registerKeys(program, deps);
  registerProject(program, deps);
  registerQuarantine(program, deps);
  registerQuery(program, deps);
  registerRecompute(program, deps);
  registerReconcile(program, deps);
  registerReplay(program, deps);
  registerCompleteness(program, deps);
  registerLifecycle(program, deps);
  registerAudit(program, deps);
  registerAlerts(program, deps);
  registerSchema(program, deps);
  registerUpgrade(program, deps);
  registerTokens(program, deps);
}

async function serve(deps: AggregatorCommands): Promise<undefined> {
  const store = await deps.openStore();
  try {
    const running = await deps.start(store, await deps.openLog());
    process.stdout.write(`aggregator ${running.url}\n`);
    await untilStopped();
    await running.close();
  } finally {
    await store.close();
  }
}

async function withStore<T>(deps: AggregatorCommands, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await deps.openStore();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
