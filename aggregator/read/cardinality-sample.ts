// Which events a report on content looks at: all of a type, or a part of them that time and ids choose.
import type { TransactionSql } from "postgres";
import type { ActiveAsked } from "./active-modelled.ts";
import { countedEvents } from "./events-counted.ts";
import { quarterMs } from "./modelled.ts";
import type { Range } from "./range.ts";
import { type Fragment, firstIdAt, lastIdBefore } from "./within.ts";

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
  /** Only in quarter hours below this place; null where nothing is stored any more. */
  reach: number | null;
  /** There, of 65,536 events so many; all of them where it is that many. */
  part: number;
  /** Stored events for each one that is looked at. */
  scale: number;
}

/** A quarter hour that is read: when it begins, in epoch ms, and where a hash of that places it. */
export interface Slice {
  from: number;
  place: number;
}

export interface Sample {
  types: readonly TypeCount[];
  slices: readonly Slice[];
}

export const wholePart = 65_536;
/** Places are of 32 bits. */
const [placeMin, places] = [-(2 ** 31), 2 ** 32];

export const ofEvents = ({ project, type, tz }: ContentAsked): ActiveAsked => ({
  ...{ users: "all" as const, project, tz },
  types: type === undefined ? undefined : [type],
});

/** How much a question may do, in events. */
export interface Bounds {
  /** Of all types and looked at or not; some 1 µs each. */
  readMax: number;
  lookedMax: number;
}

/**
 * The types of the span, and which of their events are looked at. Whole quarter hours are read, by places that
 * a hash of their time gives, so that every day has its share of them: half of what may be read up to one place
 * for all types alike, half for each type further than that, among the quarter hours that have it.
 */
export async function chooseEvents(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  { readMax, lookedMax }: Bounds,
): Promise<Sample> {
  const { rows, count } = await countedEvents(tx, { ...ofEvents(asked), types: undefined }, range);
  const storedFrom = Math.floor((range.stored?.first ?? range.from) / quarterMs) * quarterMs;
  const isStored = tx`quarter >= to_timestamp(${storedFrom}::float8 / 1000)`;
  const [{ types, slices }] = await tx<[{ types: Found[] | null; slices: Slice[] | null }]>`
    with counted as materialized (
      select type, date_bin('15 minutes', event_time, 'epoch'::timestamptz) as quarter, ${count}::float8 as events
      from (${rows}) as events
      group by 1, 2
    ),
    types as materialized (
      select type, sum(events) as events, sum(events) filter (where ${isStored}) as stored,
        count(*) filter (where ${isStored}) as quarters
      from counted
      group by type
    ),
    -- Places are spread evenly, so a share of them holds about that share of the events.
    reached as materialized (
      select type, events, stored, ${placeMin}::float8 + ${places}::float8 * least(1, greatest(
        ${readMax / 2}::float8 / nullif(every, 0),
        ${readMax / 2}::float8 / count(*) over () / nullif(quarters * every / nullif(most, 0), 0)
      )) as reach
      from types
      cross join (select sum(stored) as every, max(quarters) as most from types) as sums
      ${asked.type === undefined ? tx`` : tx`where type = ${asked.type}`}
      order by events desc, type collate "C"
      limit ${asked.limit}
    ),
    found as materialized (
      select type, quarter, hashint8(extract(epoch from quarter)::bigint) as place, counted.events
      from counted
      join reached using (type)
      where ${isStored} and hashint8(extract(epoch from quarter)::bigint) < reach
    )
    select
      (
        select json_agg(told order by events desc, type collate "C")
        from (
          select type, reached.events, reach, stored, sum(found.events) as found
          from reached
          left join found using (type)
          group by type, reached.events, reach, stored
        ) as told
      ) as types,
      (
        select json_agg(read)
        from (select distinct extract(epoch from quarter) * 1000 as "from", place from found) as read
      ) as slices`;
  return { types: share(types ?? [], lookedMax), slices: slices ?? [] };
}

interface Found {
  type: string;
  events: number;
  reach: number | null;
  stored: number | null;
  found: number | null;
}

/** What rare types leave over, the frequent ones take: the rarest first. */
function share(types: readonly Found[], lookedMax: number): TypeCount[] {
  let [left, waiting] = [lookedMax, types.length];
  const shares = new Map<string, TypeCount>();
  const there = types.map(({ stored, found, ...type }) => ({
    ...type,
    stored: stored ?? 0,
    found: found ?? 0,
  }));
  for (const { type, events, reach, stored, found } of there.toSorted((a, b) => a.found - b.found)) {
    const own = Math.min(found, Math.ceil(left / waiting));
    left -= own;
    waiting -= 1;
    const part = own === found ? wholePart : Math.ceil((wholePart * own) / found);
    shares.set(type, { type, events, reach, part, scale: ((stored / found) * wholePart) / part });
  }
  return types.map(({ type }) => shares.get(type)!);
}

/** A subquery of `columns` and `type` of the events that are looked at. The tail of an id is of its hash. */
export function sampled(
  tx: TransactionSql,
  { project }: ContentAsked,
  range: Range,
  { types, slices }: Sample,
  columns: Fragment,
): Fragment {
  const froms = slices.map(({ from }) => Math.max(from, range.from));
  const tos = slices.map(({ from }) => Math.min(from + quarterMs, range.to));
  // Without the offset the planner would join first, and read everything to do so.
  return tx`
    select looked.*
    from unnest(
      ${slices.map(({ place }) => place)}::int[],
      ${froms}::float8[],
      ${tos}::float8[],
      ${froms.map(firstIdAt)}::uuid[],
      ${tos.map(lastIdBefore)}::uuid[]
    ) as slice (place, from_ms, to_ms, first_id, last_id)
    cross join lateral (
      select type, ${columns}
      from events
      join unnest(
        ${types.map(({ type }) => type)}::text[],
        ${types.map(({ part }) => part)}::int[],
        ${types.map(({ reach }) => reach)}::float8[]
      ) as chosen (type, part, reach) using (type)
      where id >= first_id
        and id <= last_id
        and event_time >= to_timestamp(from_ms / 1000)
        and event_time < to_timestamp(to_ms / 1000)
        ${project === undefined ? tx`` : tx`and project_id = ${project}`}
        and get_byte(uuid_send(id), 14) * 256 + get_byte(uuid_send(id), 15)
          < case when place < reach then part else 0 end
      offset 0
    ) as looked`;
}
