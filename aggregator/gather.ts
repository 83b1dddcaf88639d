// What waits to be written: pieces of several partitions, put together into one transaction.
import { writeBytesMax, writeEventsMax, writePieceEventsMax } from "../shared/limits.ts";
import type { ReadRecord } from "../shared/log/log.ts";
import { type DecodedRecord, type DecodedSlice, decodeSlice, isDecoded, markOf } from "./decode.ts";

/** A part of what was delivered for a partition; whoever delivered it waits for `done`. */
export interface Piece extends DecodedSlice {
  events: number;
  bytes: number;
  newestReceivedAt: number;
  /** When the log took its first record, epoch ms. */
  time: number;
  done: PromiseWithResolvers<void>;
}

/** Pieces in the order they came; at most one of a partition is taken at a time. */
export interface Waiting {
  add(piece: Piece): void;
  /** Takes as many as one transaction holds, each of another partition. */
  take(): Piece[];
  /** Partitions with something waiting. */
  partitions(): ReadonlySet<number>;
  isFull(): boolean;
  /** When the log took the oldest record that waits; undefined where nothing does. */
  oldest(): number | undefined;
  /** Takes back what waits for these partitions, or everything, rejecting it. */
  drop(error: Error, partitions?: ReadonlySet<number>): void;
}

export function createWaiting(): Waiting {
  let pieces: Piece[] = [];
  return {
    add: (piece) => void pieces.push(piece),
    take() {
      const taken: Piece[] = [];
      const seen = new Set<number>();
      let [events, bytes] = [0, 0];
      for (const piece of pieces) {
        if (seen.has(piece.partition)) continue;
        seen.add(piece.partition);
        const isTooMuch = events + piece.events > writeEventsMax || bytes + piece.bytes > writeBytesMax;
        if (taken.length > 0 && isTooMuch) continue;
        taken.push(piece);
        events += piece.events;
        bytes += piece.bytes;
      }
      const gone = new Set(taken);
      pieces = pieces.filter((piece) => !gone.has(piece));
      return taken;
    },
    partitions: () => new Set(pieces.map((piece) => piece.partition)),
    isFull: () => pieces.reduce((sum, piece) => sum + piece.events, 0) >= writeEventsMax,
    oldest: () => (pieces.length === 0 ? undefined : Math.min(...pieces.map((piece) => piece.time))),
    drop(error, partitions) {
      const dropped = pieces.filter((piece) => partitions === undefined || partitions.has(piece.partition));
      pieces = pieces.filter((piece) => !dropped.includes(piece));
      for (const piece of dropped) piece.done.reject(error);
    },
  };
}

/** Reads records that follow one another and cuts them, so that no piece is over the limits of one write. */
export function cutPieces(partition: number, records: readonly ReadRecord[]): Piece[] {
  const { from, records: read } = decodeSlice({ partition, records });
  const pieces: Piece[] = [];
  let first = 0;
  let [events, bytes] = [0, 0];
  const close = (end: number): void => {
    const done = Promise.withResolvers<void>();
    done.promise.catch(() => {});
    const span = { partition, from: from + BigInt(first), to: from + BigInt(end) };
    const part = read.slice(first, end);
    const withEvents = part.filter(isDecoded).filter((one) => one.record.batch.count > 0);
    const newestReceivedAt = Math.max(0, ...withEvents.map((one) => one.record.batch.receivedAt));
    pieces.push({
      ...span,
      records: part,
      events,
      bytes,
      newestReceivedAt,
      time: records[first]!.time,
      last: markOf(records[end - 1]!),
      done,
    });
    [first, events, bytes] = [end, 0, 0];
  };
  for (const [at, one] of read.entries()) {
    const more = isDecoded(one) ? eventsOf(one) : 0;
    const isFull = events + more > writePieceEventsMax || bytes + one.value.length > writeBytesMax;
    if (at > first && isFull) close(at);
    events += more;
    bytes += one.value.length;
  }
  close(read.length);
  return pieces;
}

const eventsOf = (decoded: DecodedRecord): number => decoded.record.batch.count;
