// Which UTC days are looked at for figures to tell: newly closed hours, and days touched since they were told.
import type { Sql, TransactionSql } from "postgres";
import { toldDays } from "../../shared/limits.ts";
import type { Watermark } from "./watermark.ts";

export const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Marks taken at once. */
const touchedMax = 10_000;

/** Of what is looked at now. */
export interface Look {
  watermark: Watermark;
  /** Hours that end by then are closed; epoch ms, a whole hour. */
  closedUntil: number;
  /** Epoch ms. */
  now: number;
}

/** `told_until` and `corrections` are as in the table. */
export interface DueDay {
  project: string;
  day: string;
}

/** Whether this transaction is the only one that tells figures, until its end, and its tables those of `place`. */
export async function leadsTelling(tx: TransactionSql, place: string): Promise<boolean> {
  // Naming the positions keeps a replay from putting other tables into their place meanwhile.
  const [row] = await tx<[{ ours: boolean }]>`
    select 'log_positions'::regclass::oid::text = ${place}
      and pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.told', 0)) as ours
    from (select count(*) from log_positions where false) as held`;
  return row.ours;
}

/**
 * Takes the marks of touched days, forgets days that are too old to be told, and answers up to `daysMax`
 * that are due, the newest first: with all folded that the log held at the watermark. Undefined where another
 * aggregator leads.
 */
export async function dueDays(session: Sql, look: Look, daysMax: number): Promise<DueDay[] | undefined> {
  return await session.begin(async (tx) => {
    if (!(await leadsTelling(tx, look.watermark.place))) return undefined;
    const oldest = new Date(Math.floor(look.now / dayMs) * dayMs - toldDays * dayMs);
    await takeTouched(tx, oldest);
    await tx`delete from told_days where day < ${oldest}::timestamptz::date`;
    await tx`delete from told_figures where starts_at < ${oldest}`;
    return await listDue(tx, look, daysMax);
  });
}

// A session that goes on over midnight counts where it began: the day before is touched as well.
async function takeTouched(tx: TransactionSql, oldest: Date): Promise<void> {
  await tx`
    with taken as (
      delete from touched_days
      where (project_id, day) in (select project_id, day from touched_days limit ${touchedMax})
      returning project_id, day
    ),
    before as (
      update told_days t
      set is_touched = true
      from (select distinct project_id, day - 1 as day from taken) as b
      where t.project_id = b.project_id and t.day = b.day and not t.is_touched
        and not exists (select 1 from taken where taken.project_id = t.project_id and taken.day = t.day)
    )
    insert into told_days (project_id, day, is_touched, told_until, look_after)
    select project_id, day, true, day::timestamp at time zone 'UTC', '-infinity'
    from taken
    where day >= ${oldest}::timestamptz::date
    on conflict (project_id, day) do update set is_touched = true`;
}

async function listDue(tx: TransactionSql, look: Look, daysMax: number): Promise<DueDay[]> {
  const closed = new Date(look.closedUntil);
  return await tx<DueDay[]>`
    select project_id as project, day::text
    from told_days t
    where (
        told_until < least(${closed}::timestamptz, (day + 1)::timestamp at time zone 'UTC')
        or (is_touched and look_after <= ${new Date(look.now)} and told_until > day::timestamp at time zone 'UTC')
      )
      and not exists (
        select 1 from stale_days s where s.project_id = t.project_id and s.day between t.day - 1 and t.day + 1
      )
      and not exists (
        select 1
        from fresh_events f
        where f.project_id = t.project_id and f.day between t.day - 1 and t.day + 1
          and f.marked_at <= ${look.watermark.seenAt}::timestamptz
      )
    order by t.day desc, project_id
    limit ${daysMax}`;
}

/** Has the day before looked at too where a session of it goes on into this one. */
export async function touchBefore(tx: TransactionSql, { project, day }: DueDay): Promise<void> {
  await tx`
    update told_days
    set is_touched = true
    where project_id = ${project} and day = ${day}::date - 1 and not is_touched
      and exists (
        select 1
        from person_sessions n
        join person_sessions b
          on b.project_id = n.project_id and b.day = n.day - 1 and b.is_identified = n.is_identified
            and b.number = n.number and b.ended_at >= n.started_at - interval '30 minutes'
        where n.project_id = ${project} and n.day = ${day}
          and n.started_at <= ${day}::timestamp at time zone 'UTC' + interval '30 minutes'
      )`;
}
