// What is known of the notices that wait, and the removal of those that need not be kept any more.
import type { Sql } from "postgres";
import { noticeDays } from "../../shared/limits.ts";
import type { Meter } from "../../shared/meter.ts";
import type { Notice } from "./notices.ts";

/** Rows removed at once. */
const forgottenMax = 5_000;
/** No more than so many waiting ones are counted. */
const countedMax = 100_000;

/**
 * Removes notices some days after they were published; of the kinds in `kept`, which nobody publishes, some
 * days after they were made. Answers how many went.
 */
export async function forgetNotices(
  sql: Sql,
  kept: readonly Notice["topic"][],
  now: number,
): Promise<number> {
  const before = new Date(now - noticeDays * 86_400_000);
  const gone = await sql`
    delete from notices
    where number in (select number from notices order by number limit ${forgottenMax})
      and (published_at < ${before} or (topic = any(${[...kept]}::text[]) and made_at < ${before}))`;
  return gone.count;
}

/** Tells how many notices of a kind wait, and since when the oldest does; answers the first. */
export async function tellWaiting(
  sql: Sql,
  meter: Meter,
  kind: Notice["topic"],
  now: number,
): Promise<number> {
  const [row] = await sql<[{ waiting: number; oldest: Date | null }]>`
    select count(*)::int as waiting, min(made_at) as oldest
    from (
      select made_at
      from notices
      where topic = ${kind} and published_at is null
      order by number
      limit ${countedMax}
    ) as waiting`;
  const ageMs = row.oldest === null ? 0 : Math.max(0, now - row.oldest.getTime());
  meter.set("weir.notices.waiting", row.waiting, { "weir.topic": kind });
  meter.set("weir.notices.age", ageMs / 1_000, { "weir.topic": kind });
  return row.waiting;
}
