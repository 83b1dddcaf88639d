// Where questions are read: the store itself, or a replica that follows it and is a little behind.
import type { Sql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import { withDeadline } from "./errors.ts";
import type { Store } from "./store.ts";

/** A pool to ask, and how far it has come. */
export interface Reading {
  sql: Sql;
  /** Epoch ms: what was stored before is in every snapshot from now on; undefined: a snapshot's own time tells. */
  reachedMs: number | undefined;
}

/** Called before each question. Rejects where what is read does not answer. */
export type OpenReading = () => Promise<Reading>;

/** Questions are asked of the store that is written. */
export function readStore({ sql }: Pick<Store, "sql">): OpenReading {
  return async () => ({ sql, reachedMs: undefined });
}

/** What questions are asked of, until it is closed. */
export interface Questioned {
  read: OpenReading;
  close(): Promise<void>;
}

export interface ReplicaOptions {
  /** Who is written, and so knows how much there is to follow. */
  primary: Store;
  /** Opens the replica; asked again by the next question where it fails. */
  open(): Promise<Store>;
  clock: Clock;
}

/** How much the primary had written at a moment of its own clock. */
interface Mark {
  atMs: number;
  position: bigint;
}

/** A mark is as good as new for so long. */
const markMs = 100;
/** A primary that is away holds no question up for longer than this, and then none for a while. */
const primaryMs = 250;
const primaryRestMs = 2_000;
/** Marks the replica has not reached yet: a minute of them at one in 100 ms. Past that every second one is dropped. */
const marksMax = 600;

/**
 * Questions are asked of a replica alone: while it is away they are refused, for the primary is to be spared. How
 * far it has come is told by marks of the primary's log of writes: everything stored before a mark was made is in
 * the replica once it has replayed up to there. An idle primary writes nothing, so its marks are reached at once;
 * while it is away, no mark is made and the time stands still.
 */
export function followReplica({ primary, open, clock }: ReplicaOptions): Questioned {
  let opening: Promise<Store> | undefined;
  let marks: Mark[] = [];
  let marking: Promise<void> | undefined;
  let markedAt = Number.NEGATIVE_INFINITY;
  let reached = Number.NEGATIVE_INFINITY;

  async function mark(): Promise<void> {
    try {
      // The clock is read before the position: what was stored by then lies below it.
      const made = primary.sql<[{ at: number; position: string }]>`
        select (extract(epoch from clock_timestamp()) * 1000)::float8 as at,
          (pg_current_wal_flush_lsn() - '0/0')::text as position`;
      const [{ at, position }] = await withDeadline("the primary", primaryMs, made);
      marks.push({ atMs: Math.floor(at), position: BigInt(position) });
      if (marks.length > marksMax) marks = marks.filter((_, place) => place % 2 === 0);
      markedAt = clock.now();
    } catch {
      markedAt = clock.now() + primaryRestMs;
    }
  }

  // Those who ask at once share one mark.
  async function freshMark(): Promise<void> {
    if (clock.now() - markedAt < markMs) return;
    marking ??= mark().finally(() => {
      marking = undefined;
    });
    await marking;
  }

  function openOnce(): Promise<Store> {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  return {
    async read() {
      const [{ sql }] = await Promise.all([openOnce(), freshMark()]);
      // Read before the snapshot of the question, which so holds at least this much.
      const [row] = await sql<[{ is_replica: boolean; position: string | null; at: number | null }]>`
        select pg_is_in_recovery() as is_replica,
          (pg_last_wal_replay_lsn() - '0/0')::text as position,
          floor(extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::float8 as at`;
      if (!row.is_replica) return { sql, reachedMs: undefined };
      const position = BigInt(row.position ?? 0);
      const passed = marks.findLastIndex((one) => one.position <= position);
      reached = Math.max(reached, row.at ?? 0, marks[passed]?.atMs ?? 0);
      marks = marks.slice(passed + 1);
      return { sql, reachedMs: reached };
    },
    async close() {
      await (await opening?.catch(() => undefined))?.close();
    },
  };
}
