// The beacon: one function that takes commands, and never throws into the page.
import { view, watch } from "./page.ts";
import { claim, claimQueues, openQueue, record } from "./queue.ts";
import { schedule } from "./send.ts";
import type { BeaconCommand, BeaconOptions, Fields } from "./types.ts";
import { attempt, choose, forgetVisitor, isAllowed, nameVisitor, openVisitor, options } from "./visitor.ts";

export type { BeaconCommand, BeaconOptions, Fields } from "./types.ts";

/** Commands that came before `init`; a page that never begins keeps no more of them. */
const earlyMax = 1_000;
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
    else if (early.length < earlyMax) early.push(command);
  });
}

function begin(given: BeaconOptions, waiting: readonly BeaconCommand[]): void {
  early = undefined;
  openVisitor(given);
  openQueue(schedule);
  for (const command of waiting) attempt(() => run(command));
  watch();
  isWatched = true;
  claim();
  claimQueues();
}

function run([name, first, second, third]: BeaconCommand): void {
  if (name === "track") record(String(first), second as Fields, third);
  if (name === "page") view(first as Fields, second as Fields);
  if (name === "identify") {
    if (isAllowed()) nameVisitor(String(first));
    record(name, second as Fields);
  }
  if (name === "consent") consent(first as string);
  if (name === "opt_in" || name === "opt_out") consent(name);
  if (name === "reset") forgetVisitor();
}

function consent(choice: string): void {
  const wasAllowed = isAllowed();
  choose(choice);
  // The page was open all the time, but only now may be told of.
  if (!wasAllowed && isAllowed() && isWatched && options.auto !== "off") view();
}
