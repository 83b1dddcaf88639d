// What payloads hold, property by property: how often, in how many different values, of which kinds.
import type { TransactionSql } from "postgres";
import type { Fragment } from "./within.ts";

/** Properties of one type that are told; the rest are counted. */
export const propertiesMax = 200;
/** Different values are counted up to here. */
export const valuesMax = 10_000;

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
    held as (
      select p.type, ${nameOf(tx)} as property, ${factsOf(tx)}
      from looked as p
      cross join jsonb_each(case when jsonb_typeof(p.payload) = 'object' then p.payload else '{}' end) as each
      union all
      select h.type, h.property || '.' || ${nameOf(tx)}, ${factsOf(tx)}
      from held h
      cross join jsonb_each(h.inner) as each
      where h.inner is not null
    )
    select type, sampled, property, present::float8 as present, values::float8 as values, kinds,
      properties::float8 as properties
    from (select type, count(*)::float8 as sampled from looked group by type) as sizes
    join (
      select type, property, sum(present) as present, count(value) as values,
        string_agg(distinct kind, ', ' order by kind) as kinds,
        row_number() over (partition by type order by sum(present) desc, property collate "C") as place,
        count(*) over (partition by type) as properties
      from (
        select type, property, kind, value, count(*) as present
        from held
        group by 1, 2, 3, 4
      ) as told
      group by type, property
    ) as placed using (type)
    where place <= ${propertiesMax}
    order by type collate "C", place`;
}

const nameOf = (tx: TransactionSql): Fragment => tx`replace(each.key, '.', '\\.') collate "C"`;

// An object is no value: what lies in it is.
const factsOf = (tx: TransactionSql): Fragment => tx`
  jsonb_typeof(each.value) as kind,
  case when jsonb_typeof(each.value) = 'object' then each.value end as inner,
  case when jsonb_typeof(each.value) <> 'object' then hashtextextended(each.value::text, 0) end as value`;
