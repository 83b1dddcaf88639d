// The beacon: one function that takes commands, and never throws into the page.
import { view, watch } from "./page.ts";
import { claimQueues, openQueue, record } from "./queue.ts";
import { schedule } from "./send.ts";
import type { BeaconCommand, BeaconOptions, Fields } from "./types.ts";
import { attempt, choose, forgetVisitor, isAllowed, openVisitor, options, visit } from "./visitor.ts";

export type { BeaconCommand, BeaconOptions, Fields } from "./types.ts";

/** Commands that came before `init`. */
let early: BeaconCommand[] | undefined = [];
let isWatched = false;

/**
 * Takes one command. What comes before `init` waits for it; a second `init` is passed over. Where there is
 * no page, such as on a server that renders one, nothing happens.
 */
export function weir(...command: BeaconCommand): void {
  if (typeof document === "undefined") return;
  attempt(() => {
    if (!early) run(command);
    else if (command[0] === "init") begin(command[1], early);
    // A page that never begins keeps no more.
    else if (early.length < 1_000) early.push(command);
  });
}

function begin(given: BeaconOptions, waiting: readonly BeaconCommand[]): void {
  // Throws where there is no key at all, so that a better `init` may follow.
  openVisitor(given);
  early = undefined;
  openQueue(schedule);
  for (const command of waiting) attempt(() => run(command));
  watch();
  isWatched = true;
  claimQueues();
}

function run([name, first, second, third]: BeaconCommand): void {
  if (name === "track") record(String(first), second as Fields, third);
  if (name === "page") view(first as Fields, second as Fields);
  if (name === "identify") {
    if (isAllowed()) visit(Date.now(), true, String(first));
    record(name, second as Fields);
  }
  const choice = name === "consent" ? first : name;
  if (choice === "opt_in" || choice === "opt_out") consent(choice);
  if (name === "reset") forgetVisitor();
}

function consent(choice: string): void {
  const wasAllowed = isAllowed();
  choose(choice);
  // The page was open all the time, but only now may be told of.
  if (!wasAllowed && isAllowed() && isWatched && options.auto !== "off") view();
}
