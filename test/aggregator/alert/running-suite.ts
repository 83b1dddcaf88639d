// Alerts as they run beside the writers: two aggregators, restarts, the webhook, the question.
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startAlerts } from "../../../aggregator/alert/alerts.ts";
import { readRules } from "../../../aggregator/alert/rules.ts";
import { alerts } from "../../../aggregator/read/alerts.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import type { Question } from "../../../aggregator/read/question.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { until } from "../../support/until.ts";
import type { FilledStore } from "../read/filled-store.ts";
import { emptyStore, memoryReader } from "./empty-store.ts";
import { giveAlerts } from "./given-alerts.ts";

const logged: string[] = [];
const gauges = new Map<string, number>();
const observed = {
  clock: systemClock,
  meter: {
    ...silentMeter,
    set: (name: string, value: number, attributes = {}) =>
      void gauges.set([name, ...Object.values(attributes)].join(" "), value),
  },
  logger: {
    info: (code: string, fields = {}) => void logged.push(`${code} ${JSON.stringify(fields)}`),
    error: (code: string, fields = {}) => void logged.push(`${code} ${JSON.stringify(fields)}`),
  },
};

export function runningSuite(given: () => FilledStore): void {
  let filled: FilledStore;
  let reader: LogReader;
  beforeAll(async () => {
    filled = given();
    reader = await memoryReader();
  });
  beforeEach(async () => {
    logged.length = 0;
    await emptyStore(filled.store);
  });
  const start = (options: Partial<Parameters<typeof startAlerts>[0]> = {}) =>
    startAlerts({
      store: filled.store,
      reader,
      rules: readRules({ defaults: true }),
      everyMs: 100,
      ...observed,
      ...options,
    });
  const judged = async (rules: number) => {
    const rows = await filled.store.sql`select 1 from alert_states where evaluated_at > watched_since`;
    return rows.length === rules;
  };

  it("that are built in say nothing of an empty store", async () => {
    const running = start();
    await until("they are judged", 20_000, () => judged(3));
    await running.close();
    const rows = await filled.store.sql`select rule, state, verdict from alert_states order by rule`;
    expect([...rows]).toEqual(
      ["events_missing", "ledger_not_closing", "nothing_stored"].map((rule) => ({
        rule,
        state: "ok",
        verdict: "good",
      })),
    );
    expect(gauges.get("weir.alerts.firing page")).toBe(0);
    expect(logged).toEqual([]);
  });

  it("are told once by two aggregators, over restarts, and resolved", async () => {
    const got: { id: string | null; type: string }[] = [];
    let isDown = true;
    const there = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { type } = (await request.json()) as { type: string };
        if (isDown) return new Response("", { status: 500 });
        got.push({ id: request.headers.get("webhook-id"), type });
        return new Response("");
      },
    });
    const webhook = { url: `${there.url.origin}/a-secret-path` };
    const rules = readRules({
      rules: [
        { name: "busy", kind: "threshold", figure: "events", window: "5m", above: 0, resolve_after: "0s" },
      ],
    });
    const begin = () => [start({ rules, webhook }), start({ rules, webhook })];
    const told = async () =>
      (await filled.store.sql`select body from notices order by number`).map(({ body }) => body.type);
    await filled.addEvents([{ at: new Date(Date.now() - 60_000).toISOString() }]);
    let running = begin();
    await until("it fires", 20_000, async () => (await told()).length === 1);
    await until("it is tried", 20_000, async () => {
      const [row] = await filled.store.sql`select attempts from alert_deliveries`;
      return row?.["attempts"] > 0;
    });
    await Promise.all(running.map((one) => one.close()));
    isDown = false;
    await filled.store.sql`update alert_deliveries set next_at = now()`;
    await filled.store.sql`delete from events`;
    running = begin();
    await until("it is resolved", 20_000, async () => got.length === 2);
    await Promise.all(running.map((one) => one.close()));
    await there.stop(true);
    expect(await told()).toEqual(["alert.firing", "alert.resolved"]);
    expect(got.map(({ type }) => type)).toEqual(["alert.firing", "alert.resolved"]);
    const ids = await filled.store.sql`select id from alert_events order by number`;
    expect(got.map(({ id }) => id)).toEqual(ids.map(({ id }) => id));
    expect(logged.sort()).toEqual(['alert_firing {"rule":"busy"}', 'alert_resolved {"rule":"busy"}']);
    expect(logged.join()).not.toContain("secret-path");
  }, 60_000);

  it("end while a judgement is held up", async () => {
    const holder = await filled.store.writer();
    await holder.begin(async (tx) => {
      await tx`lock table alert_states in access exclusive mode`;
      const running = start();
      await until("it is held up", 20_000, async () => {
        const held = await filled.store.sql`select 1 from pg_stat_activity where wait_event_type = 'Lock'`;
        return held.length > 0;
      });
      await running.close();
    });
    await holder.end();
  });

  describe("asked for", () => {
    const ask = async (query: Record<string, string> = {}) =>
      answer(
        filled.store.sql,
        alerts as unknown as Question,
        Object.fromEntries(Object.entries(query).map(([name, value]) => [name, [value]])),
      );
    beforeEach(() => giveAlerts(filled.store));

    it("are rules with how they stand; what is not bad for long enough is ok", async () => {
      const { data } = await ask();
      expect(
        data.map(({ rule, state, pending_since, undelivered }) => [
          rule,
          state,
          pending_since !== null,
          undelivered,
        ]),
      ).toEqual([
        ["calm_rule", "ok", false, 0],
        ["late_again", "resolved", false, 0],
        ["purchases_stopped", "firing", false, 1],
        ["soon_bad", "ok", true, 0],
        ["unsure_rule", "ok", false, 0],
      ]);
      for (const row of data) expect(alerts.row.strict().parse(row)).toEqual(row);
      expect(data.find(({ rule }) => rule === "unsure_rule")).toMatchObject({ is_judged: false });
    });

    it("are transitions, the newest first, page by page", async () => {
      const seen: unknown[] = [];
      for (let cursor: string | null | undefined = ""; cursor != null; ) {
        const page = await ask({ by: "transition", limit: "2", cursor });
        for (const row of page.data) expect(alerts.row.strict().parse(row)).toEqual(row);
        seen.push(
          ...page.data.map(({ rule, number, state, delivery }) => `${rule} ${number} ${state} ${delivery}`),
        );
        cursor = page.meta.next_cursor;
      }
      expect(seen).toEqual([
        "purchases_stopped 1 firing waiting",
        "late_again 2 resolved delivered",
        "late_again 1 firing none",
      ]);
      expect((await ask({ by: "transition", rule: "late_again" })).data).toHaveLength(2);
      expect((await ask({ limit: "2" })).meta.next_cursor).not.toBeNull();
    });
  });
}
