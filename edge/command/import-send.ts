// Sends a file's parts through the front door, several at a time, and notes which are durable.
import { problems, WeirError } from "../../shared/problem.ts";
import { type RetryPolicy, retry } from "../../shared/retry.ts";
import type { Submission } from "../accept.ts";
import { dialectNamed } from "../dialect/doors.ts";
import { type CheckpointFile, partBatchId } from "./checkpoint.ts";
import type { ImportDeps, ImportOptions } from "./import.ts";
import type { Progress } from "./progress.ts";
import { decodePart } from "./source/decode-part.ts";
import { cutParts, type Part } from "./source/parts.ts";
import type { Source } from "./source/read-source.ts";
import { DamagedFileError, type SourceEvent } from "./source/source-event.ts";

/** What a file held. */
export interface Sent {
  parts: number;
  events: number;
  /** Of them, those an earlier run had sent already. */
  eventsBefore: number;
  /** What is wrong with the file as a whole; what stands before the damage was sent. */
  damage: string | undefined;
}

/** Parts sent at once: enough that packing, claiming and the log's fsync overlap, few enough to stay small. */
const partsInFlightMax = 8;
const savesEveryMs = 500;
/** About a minute of an unavailable log or collector. */
const patience: RetryPolicy = { attemptsMax: 12, baseMs: 250, waitMsMax: 10_000 };

/**
 * Sends every part that the checkpoint does not have. Rejects with the first failure that patience did
 * not mend, after what was in flight has ended and the checkpoint was saved.
 */
export async function sendParts(
  source: Source,
  options: ImportOptions,
  kept: CheckpointFile,
  progress: Progress,
  deps: ImportDeps,
): Promise<Sent> {
  const sent: Sent = { parts: 0, events: 0, eventsBefore: 0, damage: undefined };
  const skipBelow = kept.checkpoint.acked;
  const running = new Set<Promise<void>>();
  const noteAcked = ackNoter(kept, deps);
  let failure: unknown;
  for await (const part of cutParts(untilDamage(source, sent))) {
    if (failure !== undefined || deps.signal?.aborted) break;
    sent.parts += 1;
    sent.events += part.events.length;
    progress.update(source.bytesRead(), sent.events);
    if (part.number < skipBelow) {
      sent.eventsBefore += part.events.length;
      continue;
    }
    const task = sendPart(part, options, kept, deps)
      .then((batches) => noteAcked(part.number, batches))
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= partsInFlightMax) await Promise.race(running);
  }
  await Promise.all(running);
  kept.save();
  if (failure !== undefined) throw failure;
  if (deps.signal?.aborted) throw new Error("stopped; start the import again to go on where it is");
  return sent;
}

// Resolves with the number of batches the part became. Time and ids are the run's own, so that a part sent
// again, in this run or a later one, is the very batch it was.
async function sendPart(
  part: Part,
  options: ImportOptions,
  kept: CheckpointFile,
  deps: ImportDeps,
): Promise<number> {
  const submission: Submission = {
    ...decodePart(part.events),
    project: deps.project,
    rights: ["historical"],
    dialect: dialectNamed(options.dialect ?? "native"),
    identity: options.identity,
    receivedAt: kept.checkpoint.startedAt,
    batchId: (piece) => partBatchId(kept.checkpoint, part.number, piece),
  };
  const { parts } = await retry(patience, deps.clock, () => deps.accept.submit(submission), isPassing);
  return parts.length;
}

// Parts are acknowledged in any order; the checkpoint holds the number below which none is missing.
function ackNoter(kept: CheckpointFile, deps: ImportDeps): (part: number, batches: number) => void {
  const { checkpoint } = kept;
  const acked = new Set<number>();
  let savedAt = deps.clock.now();
  return (part, batches) => {
    if (batches !== 1 && !checkpoint.split.some(([number]) => number === part))
      checkpoint.split.push([part, batches]);
    acked.add(part);
    while (acked.delete(checkpoint.acked)) checkpoint.acked += 1;
    if (deps.clock.now() - savedAt < savesEveryMs) return;
    savedAt = deps.clock.now();
    kept.save();
  };
}

async function* untilDamage(source: Source, sent: Sent): AsyncGenerator<readonly SourceEvent[]> {
  try {
    yield* source.events();
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error;
    sent.damage = error.message;
    if (error.rest.length > 0) yield error.rest;
  }
}

function isPassing(error: unknown): boolean | { retryAfterMs: number } {
  if (!(error instanceof WeirError) || !problems[error.code][2]) return false;
  return { retryAfterMs: error.retryAfterMs };
}
