// The command that runs an edge as a process of its own.
import type { Command } from "commander";
import { runCommand, untilStopped } from "../../shared/command.ts";

/** Starts the edge with the hops its settings name. */
export type StartEdgeProcess = () => Promise<{ url: string; close(): Promise<void> }>;

/** Adds `edge` to the program. */
export function registerEdge(program: Command, start: StartEdgeProcess): void {
  program
    .command("edge")
    .description("run an edge: checks events, makes their keys and forwards them in batches")
    .action(() =>
      runCommand(async () => {
        const running = await start();
        process.stdout.write(`edge ${running.url}\n`);
        await untilStopped();
        await running.close();
        return undefined;
      }),
    );
}
