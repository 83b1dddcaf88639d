// How many people each event type has: of all its events, never of a part of them.
import type { TransactionSql } from "postgres";
import { canUseBits } from "./active-modelled.ts";
import { type ContentAsked, ofEvents } from "./cardinality-sample.ts";
import type { Range } from "./range.ts";
import { type Fragment, withinUsers } from "./within.ts";

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
