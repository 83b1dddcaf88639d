// Funnels out of the model: moments of what people did are read day after day, and walked through here.
import type { TransactionSql } from "postgres";
import { momentBits } from "../model/step-times.ts";
import type { Path } from "./funnel-depth.ts";
import { breakKind, createWalk, isFirstOnly, keyOf, peopleMax, type Walk } from "./funnel-walk.ts";
import type { Range } from "./range.ts";
import { sessionsSource } from "./sessions-modelled.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

export interface WalkAsked extends Path, Pick<EventsAsked, "project" | "users"> {
  /** The type of each kind, from 1. */
  types: readonly string[];
  /** Infinite: all steps lie in one session. */
  windowMs: number;
}

/** Parts read at once: with the most that a part holds, some 60 MiB on their way. */
const partsAtOnce = 128;
const dayMs = 86_400_000;
/** Where PostgreSQL's binary form of an array of one dimension has its elements, and their width. */
const [headBytes, itemBytes] = [20, 12];

/** Whether the model knows the answer: nobody is somebody else in it, and it has only times. */
export const canUseTimes = (
  asked: Pick<EventsAsked, "users"> & { breakdown?: string | undefined },
): boolean => asked.users !== "linked" && asked.breakdown === undefined;

/** How many people took each of the steps. People are walked in as many rounds as their numbers take. */
export async function countWalked(tx: TransactionSql, asked: WalkAsked, range: Range): Promise<number[]> {
  const users = asked.kinds.map(() => 0);
  const walk = createWalk(asked);
  const close = (): void => {
    for (const [at, count] of walk.count().entries()) users[at]! += count;
    walk.clear();
  };
  for (let low = 0, isLast = false; !isLast; low += peopleMax) {
    const day = createDay(range, low);
    let project: string | undefined;
    const take = (): void => walk.take(day.at, day.take(walk.order === "time"));
    await partsOf(tx, asked, range, walk.order).cursor(partsAtOnce, (parts) => {
      for (const part of parts) {
        const at = part.day * dayMs;
        if (part.project_id !== project || at !== day.at) {
          take();
          if (part.project_id !== project) close();
          [project, day.at] = [part.project_id, at];
        }
        day.add(part.firsts, part.kind);
        if (part.others !== null) day.add(part.others, part.kind);
      }
    });
    take();
    close();
    isLast = !day.isMore;
  }
  return users;
}

interface Part {
  project_id: string;
  /** Days since 1970. */
  day: number;
  kind: number;
  firsts: Uint8Array;
  others: Uint8Array | null;
}

function partsOf(tx: TransactionSql, asked: WalkAsked, span: Span, order: Walk["order"]) {
  const { project, users, types } = asked;
  const { from, to } = span;
  // Who begins with their first step 1 does so with the first one of a day, where all of the day is asked for.
  const day = (ms: number): Fragment => tx`(to_timestamp(${ms}::float8 / 1000) at time zone 'UTC')::date`;
  return tx<Part[]>`
    select project_id, day - '1970-01-01' as day, kind, array_send(firsts) as firsts,
      ${isFirstOnly(asked) ? tx`case when kind <> 1 or day = ${day(from)} then array_send(others) end` : tx`array_send(others)`} as others
    from (
      select project_id, day, array_position(${[...types]}::text[], type) as kind, firsts, others
      from step_times
      where type = any(${[...types]}::text[])
        and day >= ${day(from)}
        and day <= ${day(to - 1)}
        ${project === undefined ? tx`` : tx`and project_id = ${project}`}
        ${users === "identified" ? tx`and is_identified` : tx``}
      ${asked.windowMs < Infinity ? tx`` : tx`union all ${breaksOf(tx, asked, span)}`}
      order by project_id, ${order === "kind" ? tx`kind, day` : tx`day`}
      offset 0
    ) as parts`;
}

/** Where sessions begin: with no window but the session, whatever was begun before ends there. */
const breaksOf = (tx: TransactionSql, { project, users }: WalkAsked, span: Span): Fragment => tx`
  select project_id, (started_at at time zone 'UTC')::date, ${breakKind}::int,
    array_agg(number::bigint << ${momentBits}::int | (date_part('epoch', started_at) * 1000)::bigint % 86400000),
    '{}'::bigint[]
  from (${sessionsSource(tx, { project, users }, span, span.to)}) as begun
  group by 1, 2`;

/** Gathers the keys of a day that lie in the span and are of people from `low` on. */
function createDay({ from, to }: Span, low: number) {
  let keys = new Float64Array(4_096);
  let length = 0;
  const day = {
    /** Epoch ms. */
    at: 0,
    /** Whether there are people behind the round. */
    isMore: false,
    /** Adds moments as PostgreSQL sends them. */
    add(bytes: Uint8Array, kind: number): void {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const count = Math.max(0, (bytes.byteLength - headBytes) / itemBytes);
      if (length + count > keys.length) {
        const wider = new Float64Array(2 * (length + count));
        wider.set(keys.subarray(0, length));
        keys = wider;
      }
      const isWhole = day.at >= from && day.at + dayMs <= to;
      for (let at = 0; at < count; at += 1) {
        const place = headBytes + at * itemBytes + 4;
        const below = view.getUint32(place + 4);
        // A person's number has five bits in the lower word.
        const person = view.getInt32(place) * 32 + (below >>> momentBits) - low;
        const ms = below & (2 ** momentBits - 1);
        if (person >= peopleMax) day.isMore = true;
        if (person < 0 || person >= peopleMax) continue;
        if (!isWhole && (day.at + ms < from || day.at + ms >= to)) continue;
        keys[length] = keyOf(person * 2 ** momentBits + ms, kind);
        length += 1;
      }
    },
    /** What was gathered; good until the next is added. */
    take(isSorted: boolean): Float64Array {
      const taken = keys.subarray(0, length);
      length = 0;
      return isSorted ? taken.sort() : taken;
    },
  };
  return day;
}
