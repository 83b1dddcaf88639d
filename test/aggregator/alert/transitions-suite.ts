// Judgement of rules: whatever is found and whoever dies when, each transition is made once and told once.
import fc from "fast-check";
import type { Sql, TransactionSql } from "postgres";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { evaluateRules } from "../../../aggregator/alert/evaluate.ts";
import type { Verdict } from "../../../aggregator/alert/machine.ts";
import type { Measure } from "../../../aggregator/alert/measure.ts";
import type { Rule } from "../../../aggregator/alert/rule.ts";
import { readRules } from "../../../aggregator/alert/rules.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { until } from "../../support/until.ts";
import { countRows } from "../scene.ts";
import { emptyStore } from "./empty-store.ts";

const noon = Date.UTC(2026, 0, 5, 12);
const minute = 60_000;

/** One rule as a property draws it; its verdicts are given from outside. */
const ruleOf = (name: string, forMinutes = 0, resolveMinutes = 0): Rule =>
  readRules({
    rules: [{ name, kind: "ledger", for: `${forMinutes}m`, resolve_after: `${resolveMinutes}m` }],
  })[0]!;

interface Found {
  verdict: Verdict;
  value: number;
}

const measureOf =
  (found: Readonly<Record<string, Found>>): Measure =>
  async ({ name }) => {
    const { verdict, value } = found[name]!;
    return { verdict, value, detail: `it is ${verdict}`, memo: { value } };
  };

class Crash extends Error {}

/** The session of a process that dies at its n-th statement of a transaction. */
function dying(session: Sql, at: number): Sql {
  let left = at;
  const tick = (): void => {
    left -= 1;
    if (left < 0) throw new Crash();
  };
  const watched = (tx: TransactionSql): TransactionSql =>
    new Proxy(tx, {
      apply(target, self, words) {
        tick();
        return Reflect.apply(target as never, self, words);
      },
    });
  return {
    begin: (options: string, work: (tx: TransactionSql) => Promise<unknown>) =>
      session.begin(options, (tx) => work(watched(tx))),
  } as unknown as Sql;
}

/** `runs`: histories drawn for the property. */
export function transitionsSuite(given: () => Store, runs: number): void {
  let store: Store;
  let session: Sql;
  let another: Sql;
  beforeAll(async () => {
    store = given();
    [session, another] = [await store.writer(), await store.writer()];
  });
  afterAll(() => Promise.all([session?.end(), another?.end()]));
  const empty = () => emptyStore(store);
  beforeEach(empty);

  const judge = (rules: readonly Rule[], found: Record<string, Found>, now: number, by: Sql = session) =>
    evaluateRules(by, { rules, measure: measureOf(found), hasWebhook: true, dueMs: 0, now });
  const bad = { verdict: "bad", value: 1 } as const;
  const good = { verdict: "good", value: 0 } as const;
  const told = async (): Promise<string[]> => {
    const rows = await store.sql`select body from notices where topic = 'alerts' order by number`;
    return rows.map(
      ({ body }) => `${body.data.rule} ${body.data.number} ${body.data.state} ${body.timestamp}`,
    );
  };
  const noted = async (): Promise<string[]> => {
    const rows = await store.sql`
      select e.rule, e.number, e.state, e.at, e.id = d.event_id as is_delivered
      from alert_events e
      left join alert_deliveries d on d.rule = e.rule and d.number = e.number
      order by e.at, e.rule`;
    expect(rows.every(({ is_delivered }) => is_delivered === true)).toBe(true);
    return rows.map((row) => `${row["rule"]} ${row["number"]} ${row["state"]} ${row["at"].toISOString()}`);
  };

  it("makes each transition once, whatever is found and whenever a process dies", async () => {
    const steps = fc.array(
      fc.record({
        found: fc.tuple(verdicts, verdicts),
        waitMinutes: fc.integer({ min: 1, max: 4 }),
        // The statements that a process does before it dies; most live.
        diesAt: fc.option(fc.integer({ min: 0, max: 12 }), { nil: null, freq: 2 }),
        // Whether the next one judges the same moment again.
        isRepeated: fc.boolean(),
      }),
      { minLength: 1, maxLength: 14 },
    );
    const patience = fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }));
    let deaths = 0;
    await fc.assert(
      fc.asyncProperty(steps, patience, patience, async (played, first, second) => {
        await empty();
        const rules = [ruleOf("one", ...first), ruleOf("two", ...second)];
        const histories: Judged[][] = [[], []];
        let now = noon;
        for (const { found, waitMinutes, diesAt, isRepeated } of played) {
          now += waitMinutes * minute;
          const given = { one: { verdict: found[0], value: now }, two: { verdict: found[1], value: -now } };
          let isDone = true;
          if (diesAt !== null) {
            const died = await judge(rules, given, now, dying(another, diesAt)).catch(
              (error: unknown) => error,
            );
            isDone = !(died instanceof Crash);
            if (!isDone) deaths += 1;
          }
          if (diesAt === null || isRepeated) {
            await judge(rules, given, now);
            isDone = true;
          }
          // Who judges the same twice finds nothing new.
          if (isDone) for (const [at, verdict] of found.entries()) histories[at]!.push({ verdict, at: now });
        }
        const wanted = [
          ...transitionsOf("one", histories[0]!, first),
          ...transitionsOf("two", histories[1]!, second),
        ].sort((left, right) => (`${left.slice(-24)}${left}` < `${right.slice(-24)}${right}` ? -1 : 1));
        expect(await noted()).toEqual(wanted);
        expect((await told()).sort()).toEqual([...wanted].sort());
      }),
      { numRuns: runs },
    );
    expect(deaths).toBeGreaterThan(runs / 3);
  }, 600_000);

  it("is done by one at a time", async () => {
    await session.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtextextended(current_schema() || '.alerts', 0))`;
      expect(await judge([ruleOf("one")], { one: bad }, noon, another)).toBe("busy");
    });
    expect(await judge([ruleOf("one")], { one: bad }, noon, another)).toMatchObject({ judged: 1 });
    expect(await told()).toEqual([`one 1 firing ${new Date(noon).toISOString()}`]);
  });

  it("leaves a round that another was done with behind its snapshot", async () => {
    await judge([ruleOf("one")], { one: good }, noon);
    const measure: Measure = async () => {
      await another`update alert_states set detail = 'judged meanwhile'`;
      return { ...bad, detail: "it is bad" };
    };
    const options = { rules: [ruleOf("one")], measure, hasWebhook: true, dueMs: 0, now: noon + 1 };
    expect(await evaluateRules(session, options)).toBe("busy");
    expect(await told()).toEqual([]);
    expect([...(await store.sql`select state, detail from alert_states`)]).toEqual([
      { state: "ok", detail: "judged meanwhile" },
    ]);
    expect(await judge([ruleOf("one")], { one: bad }, noon + 2)).toMatchObject({ judged: 1 });
  });

  it("leaves a rule that another aggregator has just judged", async () => {
    const options = {
      rules: [ruleOf("one")],
      measure: measureOf({ one: bad }),
      hasWebhook: false,
      dueMs: 15_000,
    };
    expect(await evaluateRules(session, { ...options, now: noon })).toMatchObject({ judged: 1 });
    expect(await evaluateRules(another, { ...options, now: noon + 14_999 })).toMatchObject({ judged: 0 });
    expect(await evaluateRules(another, { ...options, now: noon + 15_000 })).toMatchObject({ judged: 1 });
    expect(await countRows(store, "alert_deliveries")).toBe(0);
  });

  it("gives each rule its turn, however slow another one is", async () => {
    const seen: string[] = [];
    const measure: Measure = async ({ name }) => {
      seen.push(name);
      const began = Date.now();
      await until("the clock has gone on", 1_000, () => Date.now() > began);
      return { verdict: "good", value: 0, detail: "" };
    };
    const rules = ["one", "two", "three"].map((name) => ruleOf(name));
    for (let at = 0; at < 12; at += 1) {
      await evaluateRules(session, {
        rules,
        measure,
        hasWebhook: false,
        dueMs: 0,
        now: noon + at,
        roundMs: 0,
      });
    }
    expect(new Set(seen)).toEqual(new Set(["one", "two", "three"]));
  });

  it("resolves a rule that was removed, and counts on when it comes back", async () => {
    const rules = [ruleOf("kept"), ruleOf("gone")];
    await judge(rules, { kept: good, gone: bad }, noon);
    await judge([rules[0]!], { kept: good }, noon + 4 * minute);
    expect(await told()).toHaveLength(1);
    const ended = await judge([rules[0]!], { kept: good }, noon + 5 * minute);
    expect(ended).toMatchObject({
      transitions: [{ rule: "gone", number: 2, detail: "the rule was removed" }],
    });
    expect(await judge([rules[0]!], { kept: good }, noon + 6 * minute)).toMatchObject({ transitions: [] });
    const back = await judge(rules, { kept: good, gone: bad }, noon + 7 * minute);
    expect(back).toMatchObject({ transitions: [{ rule: "gone", number: 3, state: "firing" }] });
  });

  it("keeps what a rule was told to keep, and since when it is watched without a break", async () => {
    const seen: unknown[] = [];
    const measure: Measure = async (_, { now, watchedSince, memo }) => {
      seen.push([watchedSince - noon, memo]);
      return { verdict: "good", value: 0, detail: "", memo: { at: now - noon } };
    };
    const options = { rules: [ruleOf("one")], measure, hasWebhook: false, dueMs: 0 };
    for (const at of [0, minute, 2 * minute, 8 * minute]) {
      await evaluateRules(session, { ...options, now: noon + at });
    }
    expect(seen).toEqual([
      [0, undefined],
      [0, { at: 0 }],
      [0, { at: minute }],
      [8 * minute, { at: 2 * minute }],
    ]);
  });
}

const verdicts = fc.constantFrom<Verdict>("good", "bad", "bad", "good", "unknown");

interface Judged {
  verdict: Verdict;
  at: number;
}

/**
 * The naive account: at each moment it is looked back, as far as the last transition, how long it has been the
 * other way without a break. What was unknown is as if nobody had looked.
 */
function transitionsOf(
  name: string,
  history: readonly Judged[],
  [fors, resolves]: readonly [number, number],
) {
  const known = history.filter(({ verdict }) => verdict !== "unknown");
  const made: string[] = [];
  let from = 0;
  for (const [at, { at: now }] of known.entries()) {
    const wanted = made.length % 2 === 0 ? "bad" : "good";
    const patience = (wanted === "bad" ? fors : resolves) * minute;
    const seen = known.slice(from, at + 1);
    const run = seen.slice(seen.findLastIndex(({ verdict }) => verdict !== wanted) + 1);
    if (run.length === 0 || now - run[0]!.at < patience) continue;
    const state = wanted === "bad" ? "firing" : "resolved";
    made.push(`${name} ${made.length + 1} ${state} ${new Date(now).toISOString()}`);
    from = at + 1;
  }
  return made;
}
