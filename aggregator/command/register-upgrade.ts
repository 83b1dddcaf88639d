// The command that brings a store to the best flavour its server offers.
import type { Command } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, print, runCommand } from "../../shared/command.ts";
import { type Upgraded, upgradeStore } from "../store/flavour.ts";
import { actorOf } from "./actor.ts";
import type { AggregatorCommands } from "./register.ts";

/** Adds the command to the program. */
export function registerUpgrade(program: Command, deps: AggregatorCommands): void {
  program
    .command("upgrade-store")
    .description("move the events into TimescaleDB, in the same database and beside running aggregators")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: { json?: true }) =>
      runCommand(async () => {
        const store = await deps.openStore();
        try {
          const upgraded = await upgradeStore({
            store,
            clock: systemClock,
            actor: actorOf(),
            copied: (day, rows) => process.stderr.write(`${day}  ${rows.toLocaleString("en")} events\n`),
          });
          print(flags.json === true, { ...upgraded }, () => textOf(upgraded));
          return exitCode.fine;
        } finally {
          await store.close();
        }
      }),
    );
}

function textOf({ from, to, rows, heldMs }: Upgraded): string {
  if (from === to) return `the store is ${to} already, and up to date`;
  const held = `writers waited ${(heldMs / 1_000).toFixed(1)} s`;
  return `${rows.toLocaleString("en")} events moved from ${from} to ${to}, all of them equal; ${held}`;
}
