// `weir import FILE`: a file of events through the front door's own steps, exactly once however often it
// is started.
import type { Clock } from "../../shared/clock.ts";
import { MisuseError } from "../../shared/command.ts";
import { batchEventsMax } from "../../shared/limits.ts";
import type { Accept } from "../accept.ts";
import { checkpointKey, openCheckpoint } from "./checkpoint.ts";
import {
  awaitOutcomes,
  type LedgerOutcomes,
  type Outcomes,
  type OutcomesOf,
  runBatches,
} from "./import-outcomes.ts";
import { type Sent, sendParts } from "./import-send.ts";
import { boundMemory } from "./memory.ts";
import { createProgress } from "./progress.ts";
import { partBytesMax } from "./source/parts.ts";
import { openSource, type SourceOptions } from "./source/read-source.ts";

export const importIdentities = ["event_id", "content", "window"] as const;
export type ImportIdentity = (typeof importIdentities)[number];

/** The formats a file's events may have: our own, or what another product's export holds. */
export const importDialects = ["native", "segment", "posthog"] as const;
export type ImportDialect = (typeof importDialects)[number];

export interface ImportOptions extends SourceOptions {
  /** Absent: our own. */
  dialect?: ImportDialect | undefined;
  /** How every event's key is made; absent: as the front door does. */
  identity?: ImportIdentity | undefined;
}

/** What an import needs from whoever starts it. */
export interface ImportDeps {
  /** The front door's pipeline. */
  accept: Pick<Accept, "submit">;
  /** Whose events these are; whoever may write to the data folder may send old ones. */
  project: string;
  outcomesOf: OutcomesOf;
  /** Names the log: an import into another is another import. */
  logId: string;
  /** Where checkpoints are kept. */
  dataDir: string;
  clock: Clock;
  /** Draws a bar on stderr. */
  isTerminal: boolean;
  /** Stops the reading; what was sent is kept, and the import can be started again. */
  signal?: AbortSignal;
}

export interface ImportResult extends Outcomes {
  file: string;
  received: number;
  seconds: number;
  events_per_second: number;
  /** Whether an earlier, unfinished run was taken up. */
  resumed: boolean;
  /** What is wrong with the file as a whole, or null. */
  damage: string | null;
  /** False where the file is damaged, or the ledger counts other than what was sent. */
  ok: boolean;
}

/** Older runs are not taken up: their batch ids may have been forgotten (a log keeps 7 days). */
const checkpointAgeMaxMs = 6 * 24 * 60 * 60 * 1000;

/**
 * Imports a file and waits until the ledger has every batch of it. Rejects with a MisuseError where the
 * file or an option is at fault, else with what stopped it: starting it again then takes it up.
 */
export async function importFile(
  file: string,
  options: ImportOptions,
  deps: ImportDeps,
): Promise<ImportResult> {
  const startedAt = deps.clock.now();
  const source = await openSource(file, options);
  const { map, delimiter, zone, identity, dialect } = options;
  const cut = [1, batchEventsMax, partBytesMax];
  const key = await checkpointKey(file, [
    cut,
    deps.logId,
    deps.project,
    source.format,
    map,
    delimiter,
    zone,
    identity,
    // Left out where there is none, so that an import begun before there was a choice is still the same one.
    ...(dialect === undefined ? [] : [dialect]),
  ]);
  const kept = openCheckpoint(deps.dataDir, key, startedAt);
  if (startedAt - kept.checkpoint.startedAt > checkpointAgeMaxMs) {
    throw new MisuseError(
      `an import of this file was left unfinished more than six days ago; remove ${kept.path} to begin anew`,
    );
  }
  const progress = createProgress(source.bytes, deps.isTerminal);
  const endBound = boundMemory();
  try {
    const sent = await sendParts(source, options, kept, progress, deps).finally(() => progress.stop());
    const batches = runBatches(kept.checkpoint, sent.parts);
    const ledger = await awaitOutcomes(batches, deps.outcomesOf, deps.clock, deps.signal);
    // Of a damaged file the checkpoint stays, so that the same file again adds nothing.
    if (sent.damage === undefined) kept.remove();
    const seconds = Math.max(deps.clock.now() - startedAt, 1) / 1000;
    return { file, ...summed(sent, ledger, seconds), resumed: kept.isResumed };
  } finally {
    endBound();
  }
}

function summed(sent: Sent, ledger: LedgerOutcomes, seconds: number): Omit<ImportResult, "file" | "resumed"> {
  const { known: _, received, ...outcomes } = ledger;
  const ended = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  return {
    received: sent.events,
    ...outcomes,
    seconds,
    events_per_second: Math.round((sent.events - sent.eventsBefore) / seconds),
    damage: sent.damage ?? null,
    ok: sent.damage === undefined && received === sent.events && ended === sent.events,
  };
}

/** The result for a person. */
export function importText(result: ImportResult): string {
  const { received, stored, duplicate, quarantined, expired, erased } = result;
  const rare = [expired > 0 ? ` + expired ${expired}` : "", erased > 0 ? ` + erased ${erased}` : ""].join("");
  const lines = [
    `received ${received} = stored ${stored} + duplicate ${duplicate} + quarantined ${quarantined}${rare}`,
    `${result.seconds.toFixed(1)} s, ${result.events_per_second} events/s${result.resumed ? ", went on with an unfinished import" : ""}`,
  ];
  if (result.damage !== null) lines.push(`the file is damaged: ${result.damage}`);
  else if (!result.ok) lines.push("the ledger counts other than what was sent: run weir reconcile");
  return lines.join("\n");
}
