// Positions that the log does not have: it begins after them, or ends before them.
import type { Clock } from "../shared/clock.ts";
import type { LogIdentity, LogRange, LogReader } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import type { Span } from "./fence.ts";

/** The log at one moment: who it is, its first kept offsets and its ends. */
export interface LogLook {
  identity: LogIdentity;
  ranges: ReadonlyMap<number, LogRange>;
}

/** The log is another one than this consumer reads: it is to be opened anew. */
export class LogReplacedError extends Error {
  readonly code = "log_replaced";
}

/** A partition that only just got another leader may say too early an end: it is asked so often. */
const looksMax = 4;
const lookAgainMs = 500;

/** Where each position outside the log would have to go to be inside. */
export function outsideOf(positions: ReadonlyMap<number, bigint>, { ranges }: LogLook): Span[] {
  const spans: Span[] = [];
  for (const [partition, from] of positions) {
    const range = ranges.get(partition);
    if (range !== undefined && from < range.start) spans.push({ partition, from, to: range.start });
    if (range !== undefined && from > range.end) spans.push({ partition, from, to: range.end });
  }
  return spans;
}

/**
 * Whether one who waits at the log's end is to look what stands before it: another keeps the log since the
 * look before. Who reads on finds out by what it reads.
 */
export function isDoubtful(positions: ReadonlyMap<number, bigint>, seen: LogLook, before: LogLook): boolean {
  return [...positions].some(([partition, next]) => {
    const [now, then] = [seen.ranges.get(partition), before.ranges.get(partition)];
    return now?.end === next && then !== undefined && now.term !== then.term;
  });
}

/** Opens a reader for some work: a role that is open stays with the log it was opened on. */
export async function withReader<T>(
  open: () => Promise<LogReader>,
  work: (reader: LogReader) => Promise<T>,
): Promise<T> {
  const reader = await open();
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}

/** The log as it is now. */
export const lookAt = (open: () => Promise<LogReader>): Promise<LogLook> =>
  withReader(open, async (reader) => ({ identity: reader.identity, ranges: await reader.ranges() }));

/**
 * Those of an own log that stay outside, and the log as it was seen. Rejects with a LogReplacedError where
 * the log is another one.
 */
export async function findOutside(
  open: () => Promise<LogReader>,
  identity: LogIdentity,
  positions: ReadonlyMap<number, bigint>,
  clock: Clock,
): Promise<LogLook & { spans: Span[] }> {
  for (let count = 1; ; count += 1) {
    const seen = await lookAt(open);
    if (seen.identity.id !== identity.id) {
      throw new LogReplacedError(`the log ${identity.id} is now ${seen.identity.id}`);
    }
    const spans = outsideOf(positions, seen);
    if (spans.every(({ from, to }) => from < to) || count === looksMax) {
      return { ...seen, spans };
    }
    await clock.sleep(lookAgainMs);
  }
}

/** Says loudly that a position moves without records. */
export function alarmOutside({ partition, from, to }: Span, meter: Meter, logger: Logger): void {
  const code = from < to ? "log_hole" : "log_shorter";
  meter.count("weir.aggregator.alarms", 1, { "weir.code": code });
  logger.error(code, { partition, from: String(from), to: String(to) });
}
