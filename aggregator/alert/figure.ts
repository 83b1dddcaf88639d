// The figure of a rule over a span: out of the read models, or of the events where the span is too short for them.
import type { TransactionSql } from "postgres";
import { activeSets, canUseBits } from "../read/active-modelled.ts";
import { countedEvents } from "../read/events-counted.ts";
import { type Range, readStored } from "../read/range.ts";
import { sessions } from "../read/sessions.ts";
import { type Span, within } from "../read/within.ts";
import { type FigureRule, halfHourMs, liveWindowMsMax } from "./rule.ts";

/** Types that `conversions` counts where a rule names none. */
const conversionTypes = ["purchase"];
/** What happened sooner may still be on its way; a short span ends with the last seconds all the same. */
const graceMs = { live: 5_000, modelled: 60_000 };
/** Notes of events wait for a fold no longer than this while all is well. */
const foldingMs = 30_000;

type Asked = Pick<FigureRule, "project" | "types" | "users"> & { tz: string };

/** The newest whole window before `now`: to the second where it is short, else ending on a half hour. */
export function windowBefore(now: number, windowMs: number, isLive = windowMs <= liveWindowMsMax): Span {
  const to = isLive ? now - graceMs.live : Math.floor((now - graceMs.modelled) / halfHourMs) * halfHourMs;
  return { from: to - windowMs, to };
}

/** Reads the figure. A count is a number of events, people or sessions, revenue is in its currency. */
export async function readFigure(tx: TransactionSql, rule: FigureRule, { from, to }: Span): Promise<number> {
  const types = rule.figure === "conversions" ? (rule.types ?? conversionTypes) : rule.types;
  const asked: Asked = { project: rule.project, types, users: rule.users, tz: "UTC" };
  const range: Range = { from, to, asOf: to, stored: undefined };
  if (rule.figure === "active_users") return await countPeople(tx, asked, range);
  if (rule.figure === "sessions") {
    const stored = await readStored(tx);
    const how = { interval: "total", by: "gap", format: "json" } as const;
    const [row] = await sessions.ask(
      tx,
      { ...asked, types: asked.types as string[], ...how },
      { ...range, stored },
    );
    return Number(row?.["sessions"] ?? 0);
  }
  const { rows, count, hasRevenue } = await countedEvents(tx, asked, range);
  const figure =
    rule.figure === "revenue"
      ? tx`sum(revenue) filter (where ${hasRevenue} and currency = ${rule.currency ?? ""})`
      : count;
  const [row] = await tx<[{ figure: number }]>`
    select coalesce(${figure}, 0)::float8 as figure from (${rows}) as events`;
  return row.figure;
}

async function countPeople(tx: TransactionSql, asked: Asked, range: Range): Promise<number> {
  const one = {
    place: tx`1`,
    name: tx`''`,
    count: 1,
    grain: asked.types === undefined ? "half_hour" : "day",
  } as const;
  const sets = canUseBits(asked, range) ? activeSets(tx, asked, range, one) : undefined;
  const person = asked.users === "identified" ? tx`user_id` : tx`coalesce(user_id, anonymous_id)`;
  const counted =
    sets === undefined
      ? tx`
        select count(*)::float8 as figure
        from (select project_id, ${person} as person from events where ${within(tx, asked, range)} group by 1, 2) as people
        where person is not null`
      : tx`select coalesce(sum(bit_count(bits)), 0)::float8 as figure from (${sets}) as sets`;
  const [row] = await tx<[{ figure: number }]>`${counted}`;
  return row.figure;
}

/**
 * Since when events of these spans wait to be folded, epoch ms; null where the figures have them all, but for
 * those of the last moments. A day that is read anew waits, however fresh it is.
 */
export async function unfoldedSince(
  tx: TransactionSql,
  project: string | undefined,
  spans: readonly Span[],
  now: number,
): Promise<number | null> {
  const days = [...new Set(spans.flatMap(daysOf))];
  const own = project === undefined ? tx`` : tx`and project_id = ${project}`;
  const [row] = await tx<[{ since: number | null }]>`
    select (extract(epoch from least(
      (select min(marked_at) from fresh_events where day = any(${days}::date[]) ${own}
        and marked_at < to_timestamp(${now - foldingMs}::float8 / 1000)),
      (select min(marked_at) from stale_days where day = any(${days}::date[]) ${own})
    )) * 1000)::float8 as since`;
  return row.since;
}

function daysOf({ from, to }: Span): string[] {
  const dayMs = 86_400_000;
  const first = Math.floor(from / dayMs);
  const count = Math.floor((to - 1) / dayMs) - first + 1;
  return Array.from({ length: count }, (_, at) => new Date((first + at) * dayMs).toISOString().slice(0, 10));
}
