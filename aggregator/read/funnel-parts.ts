// The parts of the model that a funnel is made of, and the moments in them.
import type { TransactionSql } from "postgres";
import { momentBits } from "../model/step-times.ts";
import type { Path } from "./funnel-depth.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface WalkAsked extends Path, Pick<EventsAsked, "project" | "users"> {
  /** The type of each kind, from 1. */
  types: readonly string[];
  /** Infinite: all steps lie in one session. */
  windowMs: number;
}

export const dayMs: number = 86_400_000;
/** People of one round, by numbers that follow one another: what a round remembers is 16 MiB a step. */
export const peopleMax: number = 2 ** 21;
/** Parts read at once: with the most that a part holds, some 60 MiB on their way. */
export const partsAtOnce = 128;
/** Where PostgreSQL's binary form of an array of one dimension has its elements, and their width. */
const [headBytes, itemBytes] = [20, 12];

/** The condition on `step_times` for what may lie in the span. */
export const partsWithin = (
  tx: TransactionSql,
  { project, users, types }: WalkAsked,
  { from, to }: Span,
): Fragment => tx`
  type = any(${[...types]}::text[])
  and day >= ${onDay(tx, from)}
  and day <= ${onDay(tx, to - 1)}
  ${project === undefined ? tx`` : tx`and project_id = ${project}`}
  ${users === "identified" ? tx`and is_identified` : tx``}`;

/** The UTC day of a moment, epoch ms. */
export const onDay = (tx: TransactionSql, ms: number): Fragment =>
  tx`(to_timestamp(${ms}::float8 / 1000) at time zone 'UTC')::date`;

export interface Moments {
  length: number;
  people: Int32Array;
  /** Of the UTC day. */
  ms: Int32Array;
}

/** The moments in an array as PostgreSQL sends it; good until the next is read into the same. */
export function readMoments(bytes: Uint8Array, into: Moments): Moments {
  into.length = Math.max(0, (bytes.byteLength - headBytes) / itemBytes);
  if (into.length > into.people.length) {
    into.people = new Int32Array(2 * into.length);
    into.ms = new Int32Array(2 * into.length);
  }
  const { length, people, ms } = into;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < length; at += 1) {
    // An item is its length and its eight bytes; a person's number has five bits in the lower four.
    const place = headBytes + at * itemBytes + 4;
    const below = view.getUint32(place + 4);
    people[at] = view.getInt32(place) * 32 + (below >>> momentBits);
    ms[at] = below & (2 ** momentBits - 1);
  }
  return into;
}

export const noMoments = (): Moments => ({ length: 0, people: new Int32Array(0), ms: new Int32Array(0) });
