// One round of judgement: every rule that is due is measured, and what begins or ends to fire is noted once.
import type { Sql, TransactionSql } from "postgres";
import { noteNotices } from "../notice/notices.ts";
import { errorCode } from "../store/errors.ts";
import { end, firstStand, type Stepped, step } from "./machine.ts";
import type { Measure, Measured } from "./measure.ts";
import type { Rule } from "./rule.ts";
import { isJudge, readStates, type StoredState, storeTime, writeState } from "./states.ts";
import { type RuleWords, type Told, type Transition, tell, wordsOf } from "./told.ts";

export interface EvaluateOptions {
  rules: readonly Rule[];
  measure: Measure;
  /** Whether a webhook is told of transitions. */
  hasWebhook: boolean;
  /** A rule that was judged less than this ago, by whomever, is not due; ms. */
  dueMs: number;
  /** Epoch ms; the store's own clock when absent. */
  now?: number;
  /** What a round may take before the rest of its rules is left to the next one, ms. */
  roundMs?: number;
}

/** What a round did; `busy` where another aggregator is at it. */
export type Evaluated = { judged: number; transitions: Transition[] } | "busy";

/** A rule that nobody has judged for so long is gone; until then an aggregator of another version may have it. */
const forgottenMs = 300_000;
/** A break in the judgements as long as this begins the watch anew. */
const breakMs = 300_000;
const roundMsDefault = 30_000;
/** How long the webhook is tried for one transition. */
const deliverDays = 3;
/** How long transitions are kept. */
const keptDays = 400;

/**
 * Judges in one snapshot and one transaction: states, transitions, notices and what the webhook is told stand
 * together or not at all, so a transition is neither made twice nor lost, whoever dies when.
 */
export async function evaluateRules(session: Sql, options: EvaluateOptions): Promise<Evaluated> {
  try {
    return (await session.begin("isolation level repeatable read", (tx) =>
      judgeAll(tx, options),
    )) as Evaluated;
  } catch (error) {
    // Another was done between our snapshot and our turn.
    if (errorCode(error) === "40001") return "busy";
    throw error;
  }
}

async function judgeAll(tx: TransactionSql, options: EvaluateOptions): Promise<Evaluated> {
  if (!(await isJudge(tx))) return "busy";
  const now = options.now ?? (await storeTime(tx));
  const states = await readStates(tx);
  const transitions: { told: Told; transition: Transition }[] = [];
  const began = Date.now();
  let judged = 0;
  for (const rule of dueRules(options, states, now)) {
    if (Date.now() - began > (options.roundMs ?? roundMsDefault)) break;
    const made = await judgeRule(tx, options.measure, rule, states.get(rule.name), now);
    if (made !== undefined) transitions.push(made);
    judged += 1;
  }
  const names = new Set(options.rules.map(({ name }) => name));
  for (const state of states.values()) {
    if (names.has(state.name) || state.isRemoved || now - state.evaluatedAt < forgottenMs) continue;
    const made = await removeRule(tx, state, now);
    if (made !== undefined) transitions.push(made);
  }
  if (transitions.length > 0) await note(tx, transitions, options.hasWebhook);
  return { judged, transitions: transitions.map(({ transition }) => transition) };
}

/** Those that were judged longest ago first, so that slow ones keep none from its turn. */
function dueRules(
  { rules, dueMs }: EvaluateOptions,
  states: ReadonlyMap<string, StoredState>,
  now: number,
): Rule[] {
  const judgedAt = ({ name }: Rule): number => {
    const known = states.get(name);
    return known === undefined || known.isRemoved ? 0 : known.evaluatedAt;
  };
  return rules
    .filter((rule) => now - judgedAt(rule) >= dueMs)
    .sort((left, right) => judgedAt(left) - judgedAt(right));
}

interface Made {
  told: Told;
  transition: Transition;
}

async function judgeRule(
  tx: TransactionSql,
  measure: Measure,
  rule: Rule,
  known: StoredState | undefined,
  now: number,
): Promise<Made | undefined> {
  const isWatched = known !== undefined && !known.isRemoved && now - known.evaluatedAt < breakMs;
  const watchedSince = isWatched ? known.watchedSince : now;
  const memo = known?.kind === rule.kind ? known.memo : undefined;
  const measured = await measure(rule, { tx, now, watchedSince, memo });
  const patience = { forMs: rule.for, resolveMs: rule.resolve_after };
  const stepped = step(known ?? firstStand(now), measured.verdict, now, patience);
  const words = wordsOf(rule);
  await writeState(tx, {
    ...words,
    ...stepped.stand,
    ...measured,
    memo: measured.memo,
    watchedSince,
    evaluatedAt: now,
    isRemoved: false,
  });
  return made(words, stepped, measured, now);
}

async function removeRule(tx: TransactionSql, state: StoredState, now: number): Promise<Made | undefined> {
  const stepped = end(state, now);
  const found = { verdict: "unknown", value: null, detail: "the rule was removed" } as const;
  await writeState(tx, { ...state, ...stepped.stand, ...found, evaluatedAt: now, isRemoved: true });
  return made(state, stepped, found, now);
}

function made(
  words: RuleWords,
  { stand, transition }: Stepped,
  found: Measured,
  at: number,
): Made | undefined {
  if (transition === undefined) return undefined;
  const { value, detail } = found;
  const { number } = stand;
  const noted: Transition = {
    id: crypto.randomUUID(),
    rule: words.name,
    number,
    state: transition,
    at,
    value,
    detail,
  };
  return { told: tell(words, noted), transition: noted };
}

async function note(tx: TransactionSql, all: readonly Made[], hasWebhook: boolean): Promise<void> {
  for (const { told, transition } of all) {
    const { id, rule, number, state, at, value, detail } = transition;
    await tx`
      insert into alert_events (id, rule, number, state, at, value, detail, body)
      values (${id}, ${rule}, ${number}, ${state}, to_timestamp(${at}::float8 / 1000), ${value}, ${detail},
        ${tx.json(told as never)})`;
    if (!hasWebhook) continue;
    await tx`
      insert into alert_deliveries (event_id, rule, number, until)
      values (${id}, ${rule}, ${number}, now() + make_interval(days => ${deliverDays}))`;
  }
  // It only grows here, so here it is kept short.
  await tx`delete from alert_events where at < now() - make_interval(days => ${keptDays})`;
  await tx`delete from alert_deliveries where ended_at < now() - make_interval(days => ${keptDays})`;
  await noteNotices(
    tx,
    all.map(({ told, transition }) => ({ topic: "alerts", key: transition.rule, body: told })),
  );
}
