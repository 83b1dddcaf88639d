// Funnels out of the model: moments of what people did are read day after day, and walked through here.
import type { TransactionSql } from "postgres";
import { momentBits } from "../model/step-times.ts";
import { countFromFirst, isFromFirst } from "./funnel-first.ts";
import {
  dayMs,
  noMoments,
  onDay,
  partsAtOnce,
  partsWithin,
  peopleMax,
  readMoments,
  type WalkAsked,
} from "./funnel-parts.ts";
import { breakKind, createWalk, isFirstOnly, keyOf } from "./funnel-walk.ts";
import type { Range } from "./range.ts";
import { sessionsSource } from "./sessions-modelled.ts";
import type { EventsAsked, Fragment, Span } from "./within.ts";

/** Whether the model knows the answer: nobody is somebody else in it, and it has only times. */
export const canUseTimes = (
  asked: Pick<EventsAsked, "users"> & { breakdown?: string | undefined },
): boolean => asked.users !== "linked" && asked.breakdown === undefined;

/** How many people took each of the steps. People are walked in as many rounds as their numbers take. */
export async function countWalked(tx: TransactionSql, asked: WalkAsked, range: Range): Promise<number[]> {
  const counted = isFromFirst(asked) ? await countFromFirst(tx, asked, range) : undefined;
  if (counted !== undefined) return counted;
  const users = asked.kinds.map(() => 0);
  const walk = createWalk(asked);
  const close = (): void => {
    for (const [at, count] of walk.count().entries()) users[at]! += count;
    walk.clear();
  };
  for (let low = 0, isLast = false; !isLast; low += peopleMax) {
    const day = createDay(range, low);
    let project: string | undefined;
    const take = (): void => walk.take(day.at, day.take());
    await partsOf(tx, asked, range).cursor(partsAtOnce, (parts) => {
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

function partsOf(tx: TransactionSql, asked: WalkAsked, span: Span) {
  // Who begins with their first step 1 does so with the first one of a day, where all of the day is asked for.
  const others = tx`case when kind <> 1 or day = ${onDay(tx, span.from)} then array_send(others) end`;
  return tx<Part[]>`
    select project_id, day - '1970-01-01' as day, kind, array_send(firsts) as firsts,
      ${isFirstOnly(asked) ? others : tx`array_send(others)`} as others
    from (
      select project_id, day, array_position(${[...asked.types]}::text[], type) as kind, firsts, others
      from step_times
      where ${partsWithin(tx, asked, span)}
      ${asked.windowMs < Infinity ? tx`` : tx`union all ${breaksOf(tx, asked, span)}`}
      order by project_id, day
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
  const moments = noMoments();
  const day = {
    /** Epoch ms. */
    at: 0,
    /** Whether there are people behind the round. */
    isMore: false,
    /** Adds moments as PostgreSQL sends them. */
    add(bytes: Uint8Array, kind: number): void {
      const { length: count, people, ms } = readMoments(bytes, moments);
      if (length + count > keys.length) {
        const wider = new Float64Array(2 * (length + count));
        wider.set(keys.subarray(0, length));
        keys = wider;
      }
      const isWhole = day.at >= from && day.at + dayMs <= to;
      for (let at = 0; at < count; at += 1) {
        const person = people[at]! - low;
        if (person >= peopleMax) day.isMore = true;
        if (person < 0 || person >= peopleMax) continue;
        if (!isWhole && (day.at + ms[at]! < from || day.at + ms[at]! >= to)) continue;
        keys[length] = keyOf(person * 2 ** momentBits + ms[at]!, kind);
        length += 1;
      }
    },
    /** What was gathered, sorted; good until the next is added. */
    take(): Float64Array {
      const taken = keys.subarray(0, length).sort();
      length = 0;
      return taken;
    },
  };
  return day;
}
