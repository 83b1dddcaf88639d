// Cohorts and who came back, out of the model's bits: a cohort and a period have in common what both bits say.
import type { TransactionSql } from "postgres";
import type { Buckets } from "./buckets.ts";
import type { Fragment } from "./within.ts";

export interface CohortsAsked {
  isFirstTime: boolean;
  /** How many periods a cohort is followed, its own included. */
  periods: number;
  buckets: Buckets;
}

/**
 * Rows (place, bucket, value, period, users), as the events themselves would give them, in the order of
 * place and period. `sets` are rows (project_id, block, place, bits).
 */
export function cellsOfSets(
  tx: TransactionSql,
  sets: Fragment,
  { isFirstTime, periods, buckets }: CohortsAsked,
): Fragment {
  const before = tx`
    coalesce(
      bit_or(bits) over (
        partition by project_id, block
        order by place
        rows between unbounded preceding and 1 preceding
      ),
      0::bit(8192)
    )`;
  return tx`
    with sets as materialized (${sets}),
    cohorts as (
      select project_id, block, place, ${isFirstTime ? tx`bits & ~${before}` : tx`bits`} as bits
      from sets
    )
    select place, ${buckets.name} as bucket, null as value, period, users
    from (
      select cohorts.place, active.place - cohorts.place as period,
        sum(bit_count(cohorts.bits & active.bits))::float8 as users
      from cohorts
      join sets as active using (project_id, block)
      where cohorts.place > 0
        and active.place - cohorts.place between 0 and ${periods}::int - 1
      group by 1, 2
    ) as counted
    where users > 0
    order by place, period`;
}
