// One step of telling: closed hours and days become notices, each revision of a figure once.
import type { Sql, TransactionSql } from "postgres";
import { dayOf } from "../model/fold-step.ts";
import type { StaleDay } from "../model/model.ts";
import { checksumOf, noFigures, readDayRows, readFigures } from "./figures.ts";
import { type Notice, noteNotices } from "./notices.ts";
import { type DueDay, dueDays, hourMs, type Look, leadsTelling, touchBefore } from "./told-days.ts";

export interface TellOptions {
  look: Look;
  /** The pause before a told day is looked at again, ms; it doubles with each look that corrects something. */
  correctionMs: number;
  correctionMsMax: number;
}

/** Days looked at in one step. */
export const toldDaysOfStep = 20;
const dayMs = 24 * hourMs;

/** What a step did: days looked at, and notices made of them. */
export interface Told {
  days: number;
  notices: number;
}

interface Period {
  period: "hour" | "day";
  at: number;
  /** What is told and summed up; undefined where there is nothing. */
  content: object | undefined;
}

/** Tells what is due of up to 20 days, each in a transaction of its own. "busy" where another aggregator does. */
export async function tellStep(session: Sql, options: TellOptions): Promise<Told | "busy"> {
  const due = await dueDays(session, options.look, toldDaysOfStep);
  if (due === undefined) return "busy";
  let notices = 0;
  for (const day of due) {
    const made = await tellDay(session, options, day);
    if (made === "busy") return "busy";
    notices += made;
  }
  return { days: due.length, notices };
}

// One snapshot, so that a day's rows and its sum agree; what is folded behind it touches the day again.
async function tellDay(session: Sql, options: TellOptions, due: DueDay): Promise<number | "busy"> {
  const { look } = options;
  return await session.begin("isolation level repeatable read", async (tx) => {
    if (!(await leadsTelling(tx, look.watermark.place))) return "busy";
    const day = dayOf(due.project, due.day);
    const [row] = await tx<{ is_touched: boolean; corrections: number }[]>`
      select is_touched, corrections from told_days
      where project_id = ${day.project} and day = ${day.day}
      for update`;
    if (row === undefined) return 0;
    const periods = await closedPeriods(tx, day, look.closedUntil);
    const notices = await newRevisions(tx, day, periods);
    const hasCorrected = notices.some(({ body }) => Number(body["revision"]) > 1);
    const corrections = hasCorrected ? row.corrections + 1 : 0;
    const pauseMs = Math.min(options.correctionMs * 2 ** corrections, options.correctionMsMax);
    await tx`
      update told_days
      set is_touched = false,
        told_until = greatest(told_until, ${new Date(Math.min(look.closedUntil, day.to.getTime()))}),
        look_after = ${new Date(look.now + pauseMs)},
        corrections = ${corrections}
      where project_id = ${day.project} and day = ${day.day}`;
    if (row.is_touched) await touchBefore(tx, due);
    await noteNotices(tx, notices);
    return notices.length;
  });
}

async function closedPeriods(tx: TransactionSql, day: StaleDay, closedUntil: number): Promise<Period[]> {
  const from = day.from.getTime();
  const hours = await readFigures(tx, day, "hour");
  const periods: Period[] = [];
  for (let at = from; at < from + dayMs && at + hourMs <= closedUntil; at += hourMs) {
    periods.push({ period: "hour", at, content: hours.get(at) });
  }
  if (from + dayMs > closedUntil) return periods;
  const whole = (await readFigures(tx, day, "day")).get(from);
  const { rows, leftOff } = await readDayRows(tx, day);
  const content = whole && { ...whole, rows, rows_left_off: leftOff };
  return [...periods, { period: "day", at: from, content }];
}

/** Notes what is told now of each period that was not told so before, and answers the notices of it. */
async function newRevisions(
  tx: TransactionSql,
  day: StaleDay,
  periods: readonly Period[],
): Promise<Notice[]> {
  const rows = await tx<{ period: string; starts_at: Date; revision: number; checksum: Buffer }[]>`
    select period, starts_at, revision, checksum
    from told_figures
    where project_id = ${day.project} and starts_at >= ${day.from} and starts_at < ${day.to}`;
  const told = new Map(rows.map((row) => [`${row.period} ${row.starts_at.getTime()}`, row]));
  const notices: Notice[] = [];
  for (const { period, at, content } of periods) {
    const before = told.get(`${period} ${at}`);
    // Nothing is told of a period in which nothing happened, unless something was told of it before.
    if (content === undefined && before === undefined) continue;
    const figures = content ?? emptied(period);
    const checksum = checksumOf(figures);
    if (before !== undefined && checksum.equals(before.checksum)) continue;
    const revision = (before?.revision ?? 0) + 1;
    await tx`
      insert into told_figures (project_id, period, starts_at, revision, checksum)
      values (${day.project}, ${period}, ${new Date(at)}, ${revision}, ${checksum})
      on conflict (project_id, period, starts_at) do update
      set revision = excluded.revision, checksum = excluded.checksum, told_at = now()`;
    notices.push(noticeOf(day.project, { period, at, content: figures }, revision));
  }
  return notices;
}

const emptied = (period: Period["period"]): object =>
  period === "day" ? { ...noFigures, rows: [], rows_left_off: 0 } : noFigures;

function noticeOf(project: string, { period, at, content }: Period, revision: number): Notice {
  const from = new Date(at).toISOString();
  const to = new Date(at + (period === "hour" ? hourMs : dayMs)).toISOString();
  return {
    topic: "metrics",
    key: `${project}/${period}/${from}`,
    body: { project, period, from, to, revision, ...content },
  };
}
