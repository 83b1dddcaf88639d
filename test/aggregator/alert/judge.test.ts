// What each kind of rule finds in the embedded store.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluateRules } from "../../../aggregator/alert/evaluate.ts";
import { createMeasure } from "../../../aggregator/alert/measure.ts";
import { readRules } from "../../../aggregator/alert/rules.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { emptyStore, memoryReader } from "./empty-store.ts";
import { judgeSuite } from "./judge-suite.ts";

describe("a rule", () => {
  let filled: FilledStore;
  beforeAll(async () => {
    filled = await filledStore();
  }, 180_000);
  afterAll(() => filled?.close());

  const runs = process.env["WEIR_TEST_LONG"] === "1" ? 200 : 12;
  judgeSuite(() => filled, { runs, isFull: true });

  it("that cannot be read in time changes nothing, and the others are judged all the same", async () => {
    await emptyStore(filled.store);
    const now = Date.now();
    await filled.addEvents([{ at: new Date(now - 60_000).toISOString() }]);
    const [session, holder] = [await filled.store.writer(), await filled.store.writer()];
    const reader = await memoryReader();
    const rules = readRules({
      rules: [
        { name: "held", kind: "completeness", gap_above: 0 },
        { name: "free", kind: "threshold", figure: "events", window: "5m", above: 0 },
      ],
    });
    await holder.begin(async (tx) => {
      await tx`lock table streams in access exclusive mode`;
      const done = await evaluateRules(session, {
        rules,
        measure: createMeasure(reader),
        hasWebhook: false,
        dueMs: 0,
        now,
      });
      expect(done).toMatchObject({ judged: 2, transitions: [{ rule: "free", state: "firing" }] });
    });
    await Promise.all([session.end(), holder.end()]);
    const rows = await filled.store.sql`select rule, verdict, detail from alert_states order by rule desc`;
    expect([...rows]).toMatchObject([
      { rule: "held", verdict: "unknown", detail: "cannot be judged: it took over 5 s" },
      { rule: "free", verdict: "bad" },
    ]);
  });
});
