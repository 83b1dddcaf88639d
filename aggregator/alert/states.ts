// The rows of alert_states: how each rule stood when it was judged last.
import type { TransactionSql } from "postgres";
import type { Stand, Verdict } from "./machine.ts";
import type { RuleWords } from "./told.ts";

/** Times are epoch ms. */
export interface StoredState extends RuleWords, Stand {
  verdict: Verdict;
  memo: unknown;
  watchedSince: number;
  evaluatedAt: number;
  isRemoved: boolean;
}

/** What was found now. */
export interface NewState extends StoredState {
  value: number | null;
  detail: string;
}

/** Whether this transaction is the one that judges: until its end, nobody else is. */
export async function isJudge(tx: TransactionSql): Promise<boolean> {
  const [row] = await tx<[{ ours: boolean }]>`
    select pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.alerts', 0)) as ours`;
  return row.ours;
}

/** The store's time, which all aggregators share; epoch ms. */
export async function storeTime(tx: TransactionSql): Promise<number> {
  const [row] = await tx<[{ ms: number }]>`select floor(extract(epoch from now()) * 1000)::float8 as ms`;
  return row.ms;
}

export async function readStates(tx: TransactionSql): Promise<Map<string, StoredState>> {
  const ms = (column: string) => tx`round(extract(epoch from ${tx(column)}) * 1000)::float8`;
  const rows = await tx<StoredState[]>`
    select rule as name, kind, severity, summary, state, number, verdict, memo,
      removed_at is not null as "isRemoved",
      ${ms("since")} as since,
      ${ms("turned_at")} as "turnedAt",
      ${ms("watched_since")} as "watchedSince",
      ${ms("evaluated_at")} as "evaluatedAt"
    from alert_states`;
  return new Map(rows.map((row) => [row.name, row]));
}

export async function writeState(tx: TransactionSql, one: NewState): Promise<void> {
  const time = (ms: number | null) => (ms === null ? tx`null` : tx`to_timestamp(${ms}::float8 / 1000)`);
  await tx`
    insert into alert_states (
      rule, kind, severity, summary, state, since, turned_at, number, verdict, value, detail, memo,
      watched_since, evaluated_at, removed_at
    )
    values (
      ${one.name}, ${one.kind}, ${one.severity}, ${one.summary}, ${one.state}, ${time(one.since)},
      ${time(one.turnedAt)}, ${one.number}, ${one.verdict}, ${one.value}, ${one.detail},
      ${one.memo === undefined ? null : tx.json(one.memo as never)},
      ${time(one.watchedSince)}, ${time(one.evaluatedAt)}, ${time(one.isRemoved ? one.evaluatedAt : null)}
    )
    on conflict (rule) do update set
      kind = excluded.kind,
      severity = excluded.severity,
      summary = excluded.summary,
      state = excluded.state,
      since = excluded.since,
      turned_at = excluded.turned_at,
      number = excluded.number,
      verdict = excluded.verdict,
      value = excluded.value,
      detail = excluded.detail,
      memo = excluded.memo,
      watched_since = excluded.watched_since,
      evaluated_at = excluded.evaluated_at,
      removed_at = excluded.removed_at`;
}
