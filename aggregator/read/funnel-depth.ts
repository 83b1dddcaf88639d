// How far each person came along the steps, in one pass a step over rows in the order of person and time.
import type { TransactionSql } from "postgres";
import type { Fragment } from "./within.ts";

export interface Path {
  /** The kind of each step. */
  kinds: readonly number[];
  /** first: only a person's first step 1 begins; any: each of them does. */
  entry: "first" | "any";
  /** strict: between two steps that follow one another lies no other step's kind. */
  order: "any" | "strict";
}

/**
 * Rows (project_id, person, kind, tag, event_time, depth) of steps (project_id, person, event_time, kind,
 * tag, until): `depth` is how many steps some way along the path has that ends in this row.
 *
 * Of all ways to a row, the one that began last may go on for longest, so it is enough to carry its `until`
 * along, as `reach`: a row is a step where a row of the step before lies strictly earlier and reaches it.
 */
export function depths(tx: TransactionSql, steps: Fragment, path: Path): Fragment {
  return path.kinds
    .slice(1)
    .reduce<Fragment>(
      (rows, kind, at) => stepBehind(tx, rows, { step: at + 2, kind, before: path.kinds[at]! }, path),
      begin(tx, steps, path),
    );
}

function begin(tx: TransactionSql, steps: Fragment, { kinds, entry }: Path): Fragment {
  const isFirst = tx`kind = ${kinds[0]!}`;
  const begins =
    entry === "any"
      ? isFirst
      : tx`${isFirst} and event_time = min(event_time) filter (where ${isFirst}) over own`;
  return tx`
    select project_id, person, event_time, kind, tag,
      case when ${begins} then until end as reach,
      case when ${begins} then 1 else 0 end as depth
    from (${steps}) as steps
    window own as (partition by person, project_id order by event_time)`;
}

interface Link {
  step: number;
  kind: number;
  before: number;
}

function stepBehind(tx: TransactionSql, rows: Fragment, { step, kind, before }: Link, path: Path): Fragment {
  // The last row of the step before reaches farthest, so nothing else may lie between it and this one.
  const isStrict = path.order === "strict";
  const between = tx`
    , max(event_time) filter (where reach is not null) over earlier as reached_at,
    max(event_time) filter (where kind not in (${before}, ${kind})) over earlier as other_at`;
  return tx`
    select project_id, person, event_time, kind, tag,
      case when is_step then farthest end as reach,
      case when is_step then ${step} else depth end as depth
    from (
      select *,
        kind = ${kind} and event_time <= farthest
          ${isStrict ? tx`and (other_at is null or reached_at >= other_at)` : tx``} as is_step
      from (
        select *, max(reach) over earlier as farthest
          ${isStrict ? between : tx``}
        from (${rows}) as come
        window earlier as (
          partition by person, project_id
          order by event_time
          groups between unbounded preceding and 1 preceding
        )
      ) as looked
    ) as judged`;
}
