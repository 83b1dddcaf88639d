// Which events a report on content looks at: all of a type, or a part of them that their ids choose.
import type { TransactionSql } from "postgres";
import { type ActiveAsked, canUseBits } from "./active-modelled.ts";
import { countedEvents } from "./events-counted.ts";
import type { Range } from "./range.ts";
import { type Fragment, within, withinUsers } from "./within.ts";

export interface ContentAsked {
  project?: string | undefined;
  /** Only this type. */
  type?: string | undefined;
  tz: string;
  /** Types at most, the most frequent first. */
  limit: number;
}

/** A type, and how much of it is looked at. */
export interface TypeCount {
  type: string;
  events: number;
  /** Of 65,536 events so many; all of them where it is that many. */
  part: number;
}

export const wholePart = 65_536;

export const ofEvents = ({ project, type, tz }: ContentAsked): ActiveAsked => ({
  ...{ users: "all" as const, project, tz },
  types: type === undefined ? undefined : [type],
});

/** The types of the span; each is looked at in so many events that there are about `eventsMax` of all. */
export async function countTypes(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  eventsMax: number,
): Promise<TypeCount[]> {
  const { rows, count } = await countedEvents(tx, ofEvents(asked), range);
  const types = await tx<{ type: string; events: number }[]>`
    select type, ${count}::float8 as events
    from (${rows}) as events
    group by type
    order by events desc, type collate "C"
    limit ${asked.limit}`;
  // What rare types leave over, the frequent ones take: the rarest first.
  let [left, waiting] = [eventsMax, types.length];
  const counts = types.toReversed().map(({ type, events }) => {
    const own = Math.min(events, Math.ceil(left / waiting));
    left -= own;
    waiting -= 1;
    return { type, events, part: own === events ? wholePart : Math.ceil((wholePart * own) / events) };
  });
  return counts.reverse();
}

/** A subquery of `columns` and `type` of the events that are looked at. The tail of an id is of its hash. */
export function sampled(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  counts: readonly TypeCount[],
  columns: Fragment,
): Fragment {
  const types = counts.map(({ type }) => type);
  return tx`
    select type, ${columns}
    from events
    join unnest(${types}::text[], ${counts.map(({ part }) => part)}::int[]) as looked (type, part) using (type)
    where ${within(tx, { ...ofEvents(asked), types }, range)}
      and (
        part = ${wholePart}::int
        or get_byte(uuid_send(id), 14) * 256 + get_byte(uuid_send(id), 15) < part
      )`;
}

/** Distinct people of each type: rows (type, users). */
export function usersOfTypes(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  types: readonly string[],
): Fragment {
  const wanted = { ...ofEvents(asked), types };
  if (!canUseBits(wanted, range)) {
    return tx`
      select type, count(person)::float8 as users
      from (
        select type, project_id, coalesce(user_id, anonymous_id) as person
        from events
        where ${withinUsers(tx, wanted, range)}
        group by 1, 2, 3
      ) as people
      group by type`;
  }
  return tx`
    select type, sum(bit_count(bits))::float8 as users
    from (
      select type, project_id, block, bit_or(bits) as bits
      from active_bits
      where grain = 'day'
        and type = any(${[...types]}::text[])
        and bucket >= to_timestamp(${range.from}::float8 / 1000)
        and bucket < to_timestamp(${range.to}::float8 / 1000)
        ${asked.project === undefined ? tx`` : tx`and project_id = ${asked.project}`}
      group by 1, 2, 3
    ) as sets
    group by type`;
}
