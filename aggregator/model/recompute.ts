// Makes figures of the models anew, and tells whether that changed any of them.
import type { Sql, TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import { dayOf, isLeader, readAnew } from "./fold-step.ts";
import { makeFresh, takeFresh } from "./fresh-rows.ts";
import type { Model, StaleDay } from "./model.ts";

export interface RecomputeOptions {
  session: Sql;
  models: readonly Model[];
  clock: Clock;
  project?: string | undefined;
  /** UTC dates, both inclusive. */
  from: string;
  to: string;
}

export interface Recomputed {
  /** Days made anew, of all projects. */
  days: number;
  /** Days left as they are, since events of them have expired: what the models say is all there is. */
  frozen: number;
  /** What did not stay as it was. */
  changed: { project: string; day: string; model: string }[];
}

/** How long another leader's step is waited for before it is asked again. */
const busyMs = 50;
/** 40001: what another leader has committed since this snapshot began. */
const attemptsMax = 20;
const eventsOfStep = 20_000;

/**
 * Every day with events or figures, each in a transaction of its own, beside whoever writes. What waits to be
 * folded is folded first, so that a difference is a fault and nothing else.
 */
export async function recompute(options: RecomputeOptions): Promise<Recomputed> {
  const answer: Recomputed = { days: 0, frozen: 0, changed: [] };
  for (const { day, isFrozen } of await listDays(options)) {
    if (isFrozen) {
      answer.frozen += 1;
      continue;
    }
    const models = await whenLeading(options, (tx) => compare(tx, options.models, day));
    answer.days += 1;
    answer.changed.push(...models.map((model) => ({ project: day.project, day: day.day, model })));
  }
  return answer;
}

async function listDays({
  session,
  project,
  from,
  to,
}: RecomputeOptions): Promise<{ day: StaleDay; isFrozen: boolean }[]> {
  const rows = await session<{ project_id: string; day: string; frozen: boolean }[]>`
    with days as (
      select project_id, (quarter at time zone 'UTC')::date as day
      from quarter_counts
      where quarter >= ${from}::date::timestamp at time zone 'UTC'
        and quarter < (${to}::date + 1)::timestamp at time zone 'UTC'
      union
      select project_id, (event_time at time zone 'UTC')::date
      from events
      where event_time >= ${from}::date::timestamp at time zone 'UTC'
        and event_time < (${to}::date + 1)::timestamp at time zone 'UTC'
    )
    select d.project_id, d.day::text,
      exists (
        select 1 from row_removals r where r.project_id = d.project_id and r.day = d.day and r.reason = 'expired'
      ) as frozen
    from days d
    where ${project === undefined} or d.project_id = ${project ?? ""}
    order by d.day, d.project_id`;
  return rows.map((row) => ({ day: dayOf(row.project_id, row.day), isFrozen: row.frozen }));
}

async function compare(tx: TransactionSql, models: readonly Model[], day: StaleDay): Promise<string[]> {
  await makeFresh(tx);
  while ((await takeFresh(tx, eventsOfStep, day)) > 0) {
    for (const model of models) await model.fold(tx);
    await tx`truncate weir_fresh`;
  }
  const before = await digests(tx, models, day);
  await readAnew(tx, models, day);
  const after = await digests(tx, models, day);
  const stale = await tx`delete from stale_days where project_id = ${day.project} and day = ${day.day}`;
  // A day that was to be read anew anyway has been now; that it changes is no fault.
  return stale.count > 0 ? [] : models.map(({ name }) => name).filter((_, at) => before[at] !== after[at]);
}

async function digests(tx: TransactionSql, models: readonly Model[], day: StaleDay): Promise<string[]> {
  const answers: string[] = [];
  for (const model of models) {
    const [row] = await tx<[{ digest: string }]>`
      select count(*) || ' ' || coalesce(sum(hashtextextended(rows::text, 0)::numeric), 0) as digest
      from (${model.rows(tx, day)}) as rows`;
    answers.push(row.digest);
  }
  return answers;
}

async function whenLeading<Value>(
  { session, clock }: RecomputeOptions,
  work: (tx: TransactionSql) => Promise<Value>,
): Promise<Value> {
  for (let attempt = 1; ; ) {
    try {
      const done = await session.begin("isolation level repeatable read", async (tx) =>
        (await isLeader(tx)) ? { value: await work(tx) } : undefined,
      );
      if (done !== undefined) return done.value as Value;
    } catch (error) {
      attempt += 1;
      if ((error as { code?: unknown }).code !== "40001" || attempt > attemptsMax) throw error;
    }
    await clock.sleep(busyMs);
  }
}
