// What happens now: windows of the last minutes that slide with the clock, and the newest stored events.
import type { Sql, TransactionSql } from "postgres";
import { z } from "zod";
import { type Answer, inSnapshot, iso, watermarkOf } from "./answer.ts";
import { createLiveHour, type HourAsked, longestSeconds, type SeenFold, windows } from "./live-hour.ts";
import { readTail, type Tail } from "./live-tail.ts";
import { eventParameters } from "./parameters.ts";
import { readStored } from "./range.ts";

const { project, types, format } = eventParameters;
const yes = z.enum(["0", "1"]).default("0");

export const liveParameters = z.strictObject({
  project,
  types,
  users: z
    .enum(["identified", "all"])
    .default("all")
    .describe("identified: events and people with a user_id; all: or with an anonymous_id"),
  events: yes.describe("1: the newest stored events are in the stream, too"),
  once: yes.describe("1: one answer instead of a stream, as for Accept: application/json"),
  format,
});

export type LiveAsked = z.output<typeof liveParameters>;

export const liveRow = z.object({
  window: z.enum(windows.map(({ name }) => name)).describe("How long it is; it ends at meta.to, exclusive"),
  active_users: z.int().min(0).describe("Distinct ids, as they were sent"),
  events: z.int().min(0),
  conversions: z.int().min(0).describe("Events of the types in WEIR_CONVERSION_TYPES"),
});

/** One look at the last hour; whoever looks at the same time shares it. */
export interface Look {
  /** The windows of some of the events, with where they stand in time. */
  answer(asked: HourAsked): Answer;
  /** What was stored since the look before. */
  tail: Tail;
}

export interface Live {
  /** Reads what is new. `withTail`: the newest events, too. Rejects with a WeirError. */
  look(withTail: boolean): Promise<Look>;
  /** Forgets the hour; the next look reads it anew. */
  forget(): void;
}

export interface LiveOptions {
  sql: Sql;
  conversionTypes: readonly string[];
  /** Age of the newest canary in seconds; null where none is sent. */
  freshSeconds?: (() => number | null) | undefined;
}

/** The clock is the store's, and all windows end with its last whole second. */
interface Moment {
  now: number;
  to: number;
}

/** Looks are one behind the other: each reads on from the one before. */
export function createLive({ sql, conversionTypes, freshSeconds }: LiveOptions): Live {
  const hour = createLiveHour(new Set(conversionTypes));
  let last: Promise<unknown> = Promise.resolve();

  async function lookNow(withTail: boolean): Promise<Look> {
    try {
      return await inSnapshot(sql, async (tx) => {
        const { now, to } = await readMoment(tx);
        const stored = await readStored(tx);
        const behind = await readBehind(tx, to);
        const folds: SeenFold[] = await hour.read(tx, to);
        const tail = withTail ? await readTail(tx, folds) : { events: [], stored: new Map() };
        return {
          tail,
          answer: (asked) => {
            const counted = hour.count(asked, to);
            const oldest = [...behind].filter(([name]) => (asked.project ?? name) === name);
            return {
              data: counted.windows.map((one) => ({ ...one })),
              meta: {
                from: iso((to - longestSeconds) * 1_000),
                to: iso(to * 1_000),
                as_of: iso(Math.min(now, ...oldest.map(([, ms]) => ms))),
                watermark: watermarkOf(stored),
                events_per_second: counted.eventsPerSecond,
                freshness_seconds: freshSeconds?.() ?? null,
              },
            };
          },
        };
      });
    } catch (error) {
      // What was read of a snapshot that broke off is not whole.
      hour.forget();
      throw error;
    }
  }

  return {
    look(withTail) {
      const mine = last.then(() => lookNow(withTail));
      last = mine.catch(() => {});
      return mine;
    },
    forget: hour.forget,
  };
}

// Asked behind the snapshot, so that no fold in it has begun later: what was ahead of that one's clock and has
// come since is counted all the same.
async function readMoment(tx: TransactionSql): Promise<Moment> {
  const [row] = await tx<[{ now: number }]>`
    select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now`;
  return { now: row.now, to: Math.floor(row.now / 1_000) };
}

/** By project, since when something of the last hour waits to be counted; epoch ms. */
async function readBehind(tx: TransactionSql, to: number): Promise<Map<string, number>> {
  const rows = await tx<{ project: string; oldest: Date }[]>`
    select project_id as project, min(marked_at) as oldest
    from (
      select project_id, day, marked_at from fresh_events
      union all
      select project_id, day, marked_at from stale_days
    ) as waiting
    where day >= (to_timestamp(${to - longestSeconds}::float8) at time zone 'UTC')::date
    group by 1`;
  return new Map(rows.map(({ project, oldest }) => [project, oldest.getTime()]));
}
