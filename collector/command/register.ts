// The command that runs a collector as a process of its own.
import type { Command } from "commander";
import { runCommand, untilStopped } from "../../shared/command.ts";

/** Starts the collector with the ports its settings name. */
export type StartCollectorProcess = () => Promise<{ url: string; close(): Promise<void> }>;

/** Adds `collector` to the program. */
export function registerCollector(program: Command, start: StartCollectorProcess): void {
  program
    .command("collector")
    .description("run the collector: claims events and writes them to the log")
    .action(() =>
      runCommand(async () => {
        const running = await start();
        process.stdout.write(`collector ${running.url}\n`);
        await untilStopped();
        await running.close();
        return undefined;
      }),
    );
}
