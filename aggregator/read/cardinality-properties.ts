// What payloads hold, property by property: how often, in how many different values, of which kinds.
import type { TransactionSql } from "postgres";
import type { Fragment } from "./within.ts";

/** Properties of one type that are told; the rest are counted. */
export const propertiesMax = 200;
/** Different values are counted up to here. */
export const valuesMax = 2_000;

export interface PropertyCount {
  type: string;
  /** Payloads of the type that were taken apart. */
  sampled: number;
  property: string;
  present: number;
  values: number;
  kinds: string;
  properties: number;
}

/**
 * The properties in rows (type, payload), the most frequent of each type first. What lies in an object is
 * named by its way there, with dots between; a dot in a name itself has a backslash before it. Values are
 * told apart by 64 bits of a hash, so that none is held: a hundred thousand differ but once in billions.
 */
export function countProperties(tx: TransactionSql, payloads: Fragment): Promise<PropertyCount[]> {
  return tx<PropertyCount[]>`
    with recursive looked as materialized (${payloads}),
    objects as (
      select type, null::text collate "C" as way, payload as object
      from looked
      where jsonb_typeof(payload) = 'object'
      union all
      select o.type, ${wayOf(tx)}, each.value
      from objects o
      cross join jsonb_each(o.object) as each
      -- Most hold none, and that is seen in their text sooner than value by value.
      where o.object::text like '%": {%' and jsonb_typeof(each.value) = 'object'
    ),
    -- By itself, so that it is hashed: to sort so many rows takes longer.
    told as materialized (
      select type, ${wayOf(tx)} as property, jsonb_typeof(each.value) as kind, ${hashOf(tx)} as value,
        count(*) as present
      from objects o
      cross join jsonb_each(o.object) as each
      group by 1, 2, 3, 4
    )
    select type, sampled, property, present::float8 as present, values::float8 as values, kinds,
      properties::float8 as properties
    from (select type, count(*)::float8 as sampled from looked group by type) as sizes
    join (
      select type, property, sum(present) as present, count(value) as values,
        string_agg(distinct kind, ', ' order by kind) as kinds,
        row_number() over (partition by type order by sum(present) desc, property collate "C") as place,
        count(*) over (partition by type) as properties
      from told
      group by type, property
    ) as placed using (type)
    where place <= ${propertiesMax}
    order by type collate "C", place`;
}

const wayOf = (tx: TransactionSql): Fragment =>
  tx`coalesce(o.way || '.', '') || replace(each.key, '.', '\\.') collate "C"`;

// An object is no value: what lies in it is. The hash of an array knows little of how arrays lie in it.
const hashOf = (tx: TransactionSql): Fragment => tx`
  case jsonb_typeof(each.value)
    when 'object' then null
    when 'array' then hashtextextended(each.value::text, 0)
    else jsonb_hash_extended(each.value, 0)
  end`;
