// When each person did what: sorted moments by day and type, so that a funnel's steps are walked, not sorted.
import type { PendingQuery, Row, TransactionSql } from "postgres";
import type { Model } from "./model.ts";

/** Events of a part that grows no more: 128 KiB, so that what a question reads at once is bounded. */
const partEvents = 16_384;
/** So many parts of about one size are joined: each event is written again once for each size there is. */
const partsJoined = 16;

/** A moment is the person's number, shifted by so many bits, plus the milliseconds of the UTC day. */
export const momentBits = 27;

export const stepTimes: Model = {
  name: "step_times",

  async fold(tx) {
    await put(
      tx,
      tx`
      select type, '1970-01-01'::date + (ms / 86400000)::int as day, project_id, is_identified,
        number::bigint << ${momentBits}::int | ms % 86400000 as moment
      from (
        select type, project_id, is_identified, number, (date_part('epoch', event_time) * 1000)::bigint as ms
        from weir_fresh
        where number is not null
        offset 0
      ) as happened`,
    );
    await joinParts(tx);
  },

  async clear(tx, { project, day }) {
    await tx`delete from step_times where day = ${day} and project_id = ${project}`;
  },

  rows: (tx, { project, day }) => tx`
    select distinct type, is_identified, (moment >> ${momentBits}::int)::int as number,
      day::timestamp at time zone 'UTC' + interval '1 millisecond' * (moment & ${2 ** momentBits - 1}::bigint) as at
    from step_times
    cross join unnest(firsts || others) as moment
    where day = ${day} and project_id = ${project}`,
};

/** Puts rows (type, day, project_id, is_identified, moment) in as parts of their own, equal ones once. */
async function put(tx: TransactionSql, moments: PendingQuery<Row[]>): Promise<void> {
  // Groups are few: sorting whole rows for them would cost more than all the rest. What an aggregate has from
  // a sorted source it takes in that order.
  await tx`select set_config('enable_sort', 'off', true)`;
  await tx`
    insert into step_times (type, day, project_id, is_identified, events, firsts, others)
    select type, day, project_id, is_identified, part.*
    from (
      select type, day, project_id, is_identified, array_agg(moment) as moments
      from (${moments}) as given
      group by 1, 2, 3, 4
    ) as grouped
    cross join lateral (
      select count(*),
        coalesce(array_agg(moment) filter (where moment >> ${momentBits}::int is distinct from before >> ${momentBits}::int), '{}'),
        coalesce(array_agg(moment) filter (where moment >> ${momentBits}::int = before >> ${momentBits}::int), '{}')
      from (
        select moment, lag(moment) over own as before, (row_number() over own - 1) / ${partEvents}::int as place
        from unnest(moments) as moment
        window own as (order by moment)
      ) as placed
      where moment is distinct from before
      group by place
    ) as part`;
  await tx`select set_config('enable_sort', 'on', true)`;
}

/** Joins small parts of the days that were folded, where they have become many. */
async function joinParts(tx: TransactionSql): Promise<void> {
  const crowded = await tx<{ parts: string }[]>`
    select array_agg(part)::text as parts
    from (
      select distinct type, (event_time at time zone 'UTC')::date as day, project_id, is_identified
      from weir_fresh
      where number is not null
    ) as touched
    cross join lateral (
      select part, events
      from step_times s
      where (s.type, s.day, s.project_id, s.is_identified)
          = (touched.type, touched.day, touched.project_id, touched.is_identified)
        and events < ${partEvents}
      offset 0
    ) as small
    group by type, day, project_id, is_identified, floor(log(${partsJoined}, events))
    having count(*) >= ${partsJoined}`;
  if (crowded.length === 0) return;
  const parts = `{${crowded.map((each) => each.parts.slice(1, -1)).join(",")}}`;
  await put(
    tx,
    tx`select type, day, project_id, is_identified, unnest(firsts || others) as moment
      from step_times where part = any(${parts}::bigint[])`,
  );
  await tx`delete from step_times where part = any(${parts}::bigint[])`;
}
