// Which questions the read models can answer, and how far the models have come.
import type { TransactionSql } from "postgres";
import type { Range } from "./range.ts";
import type { EventsAsked } from "./within.ts";

/** Local days begin on quarter hours of UTC, so figures by quarter hour add up to those of any time zone. */
export const quarterMs: number = 15 * 60_000;

/** From here on that is so in every zone; the last one to keep another offset, until 1979, was Kiritimati. */
const quarteredFrom = Date.UTC(1980, 0, 1);

/**
 * Whether figures by quarter hour answer this as the events themselves would. Links are looked up when they
 * are asked for, so that no model holds them.
 */
export function canModel(asked: Pick<EventsAsked, "users"> & { tz: string }, range: Range): boolean {
  if (asked.users === "linked") return false;
  if (range.from % quarterMs !== 0 || range.to % quarterMs !== 0) return false;
  return asked.tz === "UTC" || range.from >= quarteredFrom;
}

/** Epoch ms up to which all that was stored is in the models of a project, or of all of them. */
export async function foldedUntil(
  tx: TransactionSql,
  project: string | undefined,
  now: number,
): Promise<number> {
  const own = project === undefined ? tx`` : tx`where project_id = ${project}`;
  const [row] = await tx<[{ oldest: Date | null }]>`
    select least(
      (select min(marked_at) from fresh_events ${own}),
      (select min(marked_at) from stale_days ${own})
    ) as oldest`;
  return row.oldest === null ? now : Math.min(now, row.oldest.getTime());
}
