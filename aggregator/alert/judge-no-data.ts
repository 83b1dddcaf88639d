// Judges silence: how long nothing was stored, of everything or of some types. It never waits for a fold.
import type { TransactionSql } from "postgres";
import { quarterMs } from "../read/modelled.ts";
import { type Fragment, type Span, within } from "../read/within.ts";
import type { Looked, Measured } from "./measure.ts";
import { durationText, type RuleOf } from "./rule.ts";

const hourMs = 3_600_000;
/** Hours before the silence that all had something, where a rule asks for a steady stream. */
const steadyHours = 24;
/** How far back the figures are looked through for the last event of a type. */
const lookedBackMs = 35 * 24 * hourMs;

/**
 * The value is the silence in seconds. It is counted from when the rule began to be looked at where that is
 * later: a store that was off, or has never had anything, is given its time.
 */
export async function judgeNoData(rule: RuleOf<"no_data">, looked: Looked): Promise<Measured> {
  const { tx, now, watchedSince } = looked;
  const newest = await (rule.types === undefined ? newestStored(tx, rule) : newestOfTypes(rule, looked));
  const silentMs = Math.max(0, now - Math.max(newest ?? 0, watchedSince));
  const value = Math.floor(silentMs / 1000);
  const what = `${rule.types === undefined ? "no event" : `no event of ${rule.types.join(", ")}`}${
    rule.project === undefined ? "" : ` in ${rule.project}`
  }`;
  const since = newest === null ? "" : `, the last at ${new Date(newest).toISOString()}`;
  if (silentMs < rule.after) {
    const when = newest === null ? "none yet" : `the last at ${new Date(newest).toISOString()}`;
    return { verdict: "good", value, detail: `events are stored, ${when}` };
  }
  const detail = `${what} stored for ${durationText(Math.floor(value / 60) * 60_000)}${since}`;
  if (rule.steady && !(await wasSteady(tx, rule, newest))) {
    return { verdict: "good", value, detail: `${detail}; not every hour of the day before had one` };
  }
  return { verdict: "bad", value, detail };
}

/** By the ledger, whatever the events' own times are; epoch ms. Old batches are looked through only in a silence. */
async function newestStored(tx: TransactionSql, rule: RuleOf<"no_data">): Promise<number | null> {
  const [row] = await tx<[{ ms: number | null }]>`
    select (extract(epoch from coalesce(
      (
        select max(stored_at)
        from ledger
        where stored > 0
          and stored_at > now() - make_interval(secs => ${rule.after / 1000}::float8)
          ${ofProject(tx, rule)}
      ),
      (select max(stored_at) from ledger where stored > 0 ${ofProject(tx, rule)}),
      (select max(newest_stored_at) from ledger_hours where stored > 0 ${ofProject(tx, rule)})
    )) * 1000)::float8 as ms`;
  return row.ms;
}

/**
 * Of these types by their own time: first among the events of the last hour, then by the figures, which say in
 * which quarter of an hour to look, and where those do not stand, among all events that would matter.
 */
async function newestOfTypes(rule: RuleOf<"no_data">, { tx, now }: Looked): Promise<number | null> {
  const recentMs = Math.min(hourMs, rule.after);
  const recent = await latestOf(tx, rule, { from: now - recentMs, to: now + hourMs });
  if (recent !== null) return Math.min(recent, now);
  const [row] = await tx<[{ ms: number | null; waits: boolean }]>`
    select (extract(epoch from max(quarter)) * 1000)::float8 as ms,
      exists (select 1 from fresh_events) or exists (select 1 from stale_days) as waits
    from quarter_counts
    where quarter >= to_timestamp(${now - lookedBackMs}::float8 / 1000)
      and type = any(${[...(rule.types ?? [])]}::text[])
      ${ofProject(tx, rule)}`;
  if (row.waits && rule.after > recentMs) {
    const unfolded = await latestOf(tx, rule, { from: now - rule.after, to: now - recentMs });
    if (unfolded !== null) return unfolded;
  }
  if (row.ms === null) return null;
  const quarter = { from: row.ms, to: Math.min(row.ms + quarterMs, now - recentMs) };
  return (await latestOf(tx, rule, quarter)) ?? Math.max(quarter.from, quarter.to);
}

async function latestOf(tx: TransactionSql, rule: RuleOf<"no_data">, span: Span): Promise<number | null> {
  if (span.from >= span.to) return null;
  const asked = { project: rule.project, types: rule.types, users: "all" as const };
  const [row] = await tx<{ ms: number }[]>`
    select (extract(epoch from event_time) * 1000)::float8 as ms
    from events
    where ${within(tx, asked, span)}
    order by id desc
    limit 1`;
  return row?.ms ?? null;
}

const ofProject = (tx: TransactionSql, { project }: RuleOf<"no_data">): Fragment =>
  project === undefined ? tx`` : tx`and project_id = ${project}`;

/** Whether each hour of the day before the silence had something, the hour of the last event included. */
async function wasSteady(
  tx: TransactionSql,
  rule: RuleOf<"no_data">,
  newest: number | null,
): Promise<boolean> {
  if (newest === null) return false;
  const to = (Math.floor(newest / hourMs) + 1) * hourMs;
  const [row] = await tx<[{ hours: number }]>`
    select count(distinct date_bin('1 hour', quarter, 'epoch'))::int as hours
    from quarter_counts
    where quarter >= to_timestamp(${to - steadyHours * hourMs}::float8 / 1000)
      and quarter < to_timestamp(${to}::float8 / 1000)
      ${rule.types === undefined ? tx`` : tx`and type = any(${[...rule.types]}::text[])`}
      ${ofProject(tx, rule)}`;
  return row.hours === steadyHours;
}
