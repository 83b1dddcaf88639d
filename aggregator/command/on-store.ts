// What commands on the store share: the store opened, brought up to date and closed, and the flag for programs.
import { runCommand } from "../../shared/command.ts";
import { migrate } from "../store/migrate.ts";
import type { Store } from "../store/store.ts";
import type { AggregatorCommands } from "./register.ts";

export const jsonFlag = ["--json", "the result as one JSON object on the last line"] as const;

/** Runs a command's work on the migrated store, and closes it; resolves to nothing, the exit code being set. */
export function onStore(deps: AggregatorCommands, work: (store: Store) => Promise<number>): Promise<void> {
  return runCommand(async () => {
    const store = await deps.openStore();
    try {
      await migrate(store);
      return await work(store);
    } finally {
      await store.close();
    }
  });
}
