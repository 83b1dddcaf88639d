// One tenure: what a member of a group owns from one sharing-out to the next, and how far it has read.
import { systemClock } from "../clock.ts";
import type { Logger } from "../logger.ts";
import { rejoinPauseMs } from "./delivery.ts";
import type { ConsumerHandler, LogReader, ReadRecord } from "./log.ts";
import { within } from "./within.ts";

/** How long the group waits for what is being written; then the owner is told, done or not. */
const handoverMs = 10_000;
/** How often a start that the log does not have is looked for again. */
const lookAgainMs = 1_000;

/** What became of fetched records. `moved`: they are not from where this tenure is. */
export type Verdict = "delivered" | "failed" | "moved" | "not_ready";

export interface Tenure {
  readonly partitions: readonly number[];
  /**
   * Asks the owner where to start, once the tenure before is over. Calls `place` for each partition whose
   * start the log has, and resolves when all were looked at once; the others are looked for again.
   */
  begin(place: (partition: number, offset: bigint) => void): Promise<void>;
  /** Hands over what was fetched. Never rejects. */
  deliver(partition: number, fetched: Fetched): Promise<Verdict>;
  isOver(): boolean;
  /** Hands over nothing more, waits for what is being written and tells the owner. Same promise each time. */
  end(): Promise<void>;
}

/** Records that were fetched at `from` and end at `last`. */
export interface Fetched {
  from: bigint;
  last: bigint;
  records: ReadRecord[];
  /** The epochs of the leaders that took the first record and the last one. */
  leaders: readonly [first: number | undefined, last: number | undefined];
}

export interface TenureOptions {
  partitions: readonly number[];
  handler: ConsumerHandler;
  reader: LogReader;
  logger: Logger;
  previous: Tenure | undefined;
  /** Jumps seen so far, by partition; shared by all tenures of a consumer. */
  jumps: Map<number, string>;
}

export function createTenure({
  partitions,
  handler,
  reader,
  logger,
  jumps,
  ...before
}: TenureOptions): Tenure {
  // Let go once it is over, or every tenure would keep all those before it.
  let previous = before.previous;
  before.previous = undefined;
  const next = new Map<number, bigint>();
  // The epoch of the leader that took what was delivered last.
  const leaders = new Map<number, number | undefined>();
  const writing = new Set<Promise<unknown>>();
  const over = new AbortController();
  let begun: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  let seek: ((partition: number, offset: bigint) => void) | undefined;

  async function ask(): Promise<Map<number, bigint>> {
    await previous?.end();
    previous = undefined;
    while (!over.signal.aborted) {
      try {
        return new Map(await handler.assigned(partitions));
      } catch (error) {
        logger.error("log_assignment_failed", { error: String(error) });
        await systemClock.sleep(rejoinPauseMs, over.signal);
      }
    }
    return new Map();
  }

  // The library would go to a default of its own where a start is missing. Here a start before the first
  // record becomes that record, whose offset shows the hole; one beyond the end waits, and is told.
  async function placeAll(
    asked: Map<number, bigint>,
    place: (partition: number, offset: bigint) => void,
  ): Promise<void> {
    const ranges = await reader.ranges();
    if (over.signal.aborted) return;
    for (const [partition, offset] of asked) {
      const { start, end } = ranges.get(partition) ?? { start: 0n, end: -1n };
      if (offset > end) {
        logger.error("log_ends_before_start", { partition, asked: String(offset), end: String(end) });
        continue;
      }
      if (offset < start) {
        logger.error("log_begins_after_start", { partition, asked: String(offset), start: String(start) });
      }
      const found = offset < start ? start : offset;
      asked.delete(partition);
      next.set(partition, found);
      place(partition, found);
    }
  }

  async function placeLater(
    asked: Map<number, bigint>,
    place: (partition: number, offset: bigint) => void,
  ): Promise<void> {
    while (asked.size > 0 && !over.signal.aborted) {
      await systemClock.sleep(lookAgainMs, over.signal);
      await placeAll(asked, place).catch((error: unknown) =>
        logger.error("log_ranges_failed", { error: String(error) }),
      );
    }
  }

  // A jump back is the library's reset. A jump forward that comes again after joining anew is a hole.
  function isJump(partition: number, expected: bigint, fetchedFrom: bigint): boolean {
    if (fetchedFrom === expected) return false;
    const jump = `${expected} ${fetchedFrom}`;
    logger.error("log_position_moved", { partition, expected: String(expected), found: String(fetchedFrom) });
    if (fetchedFrom > expected && jumps.get(partition) === jump) return false;
    jumps.set(partition, jump);
    return true;
  }

  async function write(partition: number, records: ReadRecord[]): Promise<boolean> {
    const work = Promise.resolve(handler.deliver(partition, records));
    writing.add(work);
    try {
      await work;
      return true;
    } catch (error) {
      logger.error("log_delivery_failed", { partition, error: String(error) });
      return false;
    } finally {
      writing.delete(work);
    }
  }

  return {
    partitions,
    begin(place) {
      seek = place;
      const asked = ask();
      begun = asked.then(() => {});
      return asked.then(async (starts) => {
        await placeAll(starts, place).catch((error: unknown) =>
          logger.error("log_ranges_failed", { error: String(error) }),
        );
        void placeLater(starts, place);
      });
    },
    async deliver(partition, { from, last, records, leaders: [first, newest] }) {
      const expected = next.get(partition);
      if (expected === undefined || over.signal.aborted) return "not_ready";
      if (isJump(partition, expected, from)) return "moved";
      const before = leaders.get(partition);
      if (before !== undefined && first !== undefined && first !== before) {
        // That one may never have had what was read last, and has other records there: the owner sees the
        // record before once more.
        leaders.delete(partition);
        next.set(partition, expected - 1n);
        seek?.(partition, expected - 1n);
        return "not_ready";
      }
      if (!(await write(partition, records))) return "failed";
      next.set(partition, last + 1n);
      leaders.set(partition, newest ?? before);
      return "delivered";
    },
    isOver: () => over.signal.aborted,
    end() {
      over.abort();
      ending ??= (async () => {
        await within(Promise.allSettled([begun, ...writing]), handoverMs);
        if (partitions.length === 0 || begun === undefined) return;
        await handler
          .revoked(partitions)
          .catch((error: unknown) => logger.error("log_revocation_failed", { error: String(error) }));
      })();
      return ending;
    },
  };
}
