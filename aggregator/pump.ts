// Writes what waits, transaction after transaction: the rows of the next are made while one commits.
import { writeWaitMs } from "../shared/limits.ts";
import type { ReadRecord } from "../shared/log/log.ts";
import { FencedError, OffsetError } from "./fence.ts";
import { createWaiting, cutPieces, type Piece } from "./gather.ts";
import type { Prepared } from "./transaction.ts";
import type { Writer } from "./write.ts";

export interface Pump {
  /** Resolves once all the records are committed; rejects where their partition was lost or given up. */
  write(partition: number, records: readonly ReadRecord[]): Promise<void>;
  /** Gives up what waits for these partitions, or everything; what is being written is not touched. */
  drop(error: Error, partitions?: ReadonlySet<number>): void;
  /** When the log took the oldest record that waits, epoch ms. */
  oldest(): number | undefined;
  /** Resolves when nothing is being written. */
  idle(): Promise<void>;
}

export interface PumpOptions {
  writer: Pick<Writer, "prepare" | "commit">;
  /** Partitions from which more may come: as long as one is silent, the others wait a moment for it. */
  owned(): Iterable<number>;
  /** Repeats a commit while the store is away. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  written(piece: Piece): void;
  /** Waits so long, or shorter when the pump is to end. */
  pause(ms: number): Promise<void>;
}

export function createPump(options: PumpOptions): Pump {
  const { writer, patiently, written } = options;
  const waiting = createWaiting();
  let running: Promise<void> | undefined;

  const prepare = (pieces: readonly Piece[]): Promise<Prepared | undefined> =>
    writer.prepare(pieces).catch((error: unknown) => {
      for (const piece of pieces) piece.done.reject(error);
      return undefined;
    });

  // Settles every piece: those of lost partitions are rejected, the rest is written without them.
  const commit = async (pieces: readonly Piece[], prepared: Prepared): Promise<void> => {
    let left = pieces;
    let ready = prepared;
    while (left.length > 0) {
      try {
        await patiently(() => writer.commit(ready));
        for (const piece of left) {
          written(piece);
          piece.done.resolve();
        }
        return;
      } catch (error) {
        left = rejectLost(left, error);
        const again = await prepare(left);
        if (again === undefined) return;
        ready = again;
      }
    }
  };

  const run = async (): Promise<void> => {
    let committing: Promise<void> = Promise.resolve();
    for (;;) {
      if (waiting.partitions().size === 0) {
        await committing;
        if (waiting.partitions().size === 0) {
          // In the same step as the look, or what is added right after it would wait for nobody.
          running = undefined;
          return;
        }
      }
      const isSilent = [...options.owned()].some((partition) => !waiting.partitions().has(partition));
      if (isSilent && !waiting.isFull()) await options.pause(writeWaitMs);
      const pieces = waiting.take();
      const prepared = await prepare(pieces);
      await committing;
      if (prepared !== undefined) committing = commit(pieces, prepared);
    }
  };

  return {
    async write(partition, records) {
      const pieces = cutPieces(partition, records);
      for (const piece of pieces) waiting.add(piece);
      running ??= run();
      await Promise.all(pieces.map((piece) => piece.done.promise));
    },
    drop: waiting.drop,
    oldest: waiting.oldest,
    idle: async () => await running,
  };
}

// A fence or an offset names the partitions it means; any other error means all of them.
function rejectLost(pieces: readonly Piece[], error: unknown): Piece[] {
  const isLost = (piece: Piece): boolean => {
    if (error instanceof FencedError) return error.partitions.includes(piece.partition);
    return !(error instanceof OffsetError) || error.partition === piece.partition;
  };
  for (const piece of pieces) if (isLost(piece)) piece.done.reject(error);
  return pieces.filter((piece) => !isLost(piece));
}
