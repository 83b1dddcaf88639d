// Up to when everything that the log held is stored: a figure is closed by this, not by the clock alone.
import type { Sql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";

export interface Watermark {
  /** Epoch ms: what the log held then is stored. */
  at: number;
  /** When that was seen, by the store's clock; what is stored since does not matter. */
  seenAt: string;
  /** Which tables it was seen in: a replay may have put others into their place. */
  place: string;
}

/** Ends of a log's partitions at a moment. */
interface Ends {
  log: string;
  at: number;
  ends: ReadonlyMap<number, bigint>;
}

/**
 * Looks each time it is asked, and answers what the look before saw: until now there was time to fold it.
 * Undefined before anything was seen.
 */
export function createWatermark(
  reader: Pick<LogReader, "identity" | "ranges">,
  clock: Clock,
): (sql: Sql) => Promise<Watermark | undefined> {
  let wanted: Ends | undefined;
  let seen: Watermark | undefined;
  return async (sql) => {
    const before = seen;
    const now = await readEnds(reader, clock);
    if (wanted?.log !== now.log) wanted = undefined;
    const { positions, ...found } = await readPositions(sql, reader);
    const isReached = ({ ends }: Ends): boolean =>
      [...ends].every(([partition, end]) => (positions.get(partition) ?? 0n) >= end);
    // Where the log never rests, the ends of one look are reached by a later one.
    const reached = [now, wanted].find((ends) => ends !== undefined && isReached(ends));
    if (reached !== undefined) seen = { at: reached.at, ...found };
    if (reached !== undefined || wanted === undefined) wanted = now;
    return before;
  };
}

async function readEnds(reader: Pick<LogReader, "identity" | "ranges">, clock: Clock): Promise<Ends> {
  const at = clock.now();
  const ranges = await reader.ranges();
  // Of a partition that holds nothing, nothing is waited for.
  const filled = [...ranges].filter(([, { start, end }]) => end > start);
  return {
    log: reader.identity.id,
    at,
    ends: new Map(filled.map(([partition, { end }]) => [partition, end])),
  };
}

async function readPositions(sql: Sql, { identity }: Pick<LogReader, "identity">) {
  const rows = await sql<{ partition: number; next_offset: string; seen_at: string; place: string }[]>`
    select p.partition, p.next_offset::text, s.seen_at::text, s.place
    from (select clock_timestamp() as seen_at, 'log_positions'::regclass::oid::text as place) as s
    left join log_positions p on p.log_id = ${identity.id} and p.topic = ${identity.topic}`;
  return {
    positions: new Map(rows.map((row) => [row.partition, BigInt(row.next_offset ?? 0)])),
    seenAt: rows[0]!.seen_at,
    place: rows[0]!.place,
  };
}
