// Alerts as they run beside the writers: two aggregators, restarts, the webhook, the question, the commands.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startAlerts } from "../../../aggregator/alert/alerts.ts";
import { loadRules, readRules } from "../../../aggregator/alert/rules.ts";
import { alertSettings } from "../../../aggregator/alert/settings.ts";
import { registerAlerts } from "../../../aggregator/command/register-alerts.ts";
import { alerts } from "../../../aggregator/read/alerts.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import type { Question } from "../../../aggregator/read/question.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { until } from "../../support/until.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { giveAlerts } from "./given-alerts.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-alert-rules-"));
const path = (name: string) => join(folder, name);
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

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("alerts", () => {
  let filled: FilledStore;
  let reader: LogReader;
  beforeAll(async () => {
    filled = await filledStore();
    const log = memoryLog(new Map(), { topic: "events" });
    await log.create();
    reader = await log.reader();
  }, 180_000);
  afterAll(async () => {
    await filled?.close();
  });
  beforeEach(async () => {
    logged.length = 0;
    await filled.store
      .sql`truncate events, fresh_events, alert_states, alert_events, alert_deliveries, notices`;
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
    await filled.store.sql`truncate events`;
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

  describe("as commands", () => {
    const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    /** Runs one and answers what it printed as its result, and its exit code. */
    async function run(
      words: readonly string[],
      config = {},
    ): Promise<{ code: unknown; result: Record<string, unknown> }> {
      const lines: string[] = [];
      const out = vi
        .spyOn(process.stdout, "write")
        .mockImplementation((text) => lines.push(String(text)) > 0);
      const error = vi
        .spyOn(process.stderr, "write")
        .mockImplementation((text) => lines.push(String(text)) > 0);
      const program = new Command();
      const store = { ...filled.store, sql: filled.store.sql, close: async () => {} };
      registerAlerts(program, { openStore: async () => store, config: () => config });
      try {
        await program.parseAsync(["alerts", ...words, "--json"], { from: "user" });
      } finally {
        out.mockRestore();
        error.mockRestore();
      }
      const code = process.exitCode;
      process.exitCode = 0;
      const last = lines.join("").trim().split("\n").at(-1)!;
      return { code, result: last.startsWith("{") ? JSON.parse(last) : { said: last } };
    }

    it("list rules, and exit with 1 while one fires", async () => {
      expect(await run(["list"])).toMatchObject({ code: 0, result: { ok: true, rows: [] } });
      await giveAlerts(filled.store);
      expect(await run(["list"])).toMatchObject({ code: 1, result: { ok: false, firing: 1 } });
      const { code, result } = await run(["list", "--transitions", "--rule", "late_again"]);
      expect([code, (result["rows"] as unknown[]).length]).toEqual([0, 2]);
    });

    it("check a file and tell all of its faults", async () => {
      writeFileSync(
        path("bad.yaml"),
        "rules:\n  - name: A\n    kind: ledger\n  - name: b\n    kind: nothing\n",
      );
      const { code, result } = await run(["check", path("bad.yaml")]);
      expect(code).toBe(1);
      expect(result).toMatchObject({
        ok: false,
        faults: [expect.stringContaining("A: name"), expect.stringContaining("b: kind")],
      });
      expect(await run(["check"], { WEIR_ALERT_RULES: path("none.yaml") })).toMatchObject({
        code: 1,
        result: { faults: [`${path("none.yaml")} cannot be read (ENOENT)`] },
      });
      expect(await run(["check"])).toMatchObject({ code: 0, result: { rules: [{}, {}, {}] } });
    });

    it("try the webhook", async () => {
      const got: Headers[] = [];
      const there = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        fetch(request) {
          got.push(request.headers);
          return new Response("", { status: got.length === 1 ? 200 : 403 });
        },
      });
      const config = {
        WEIR_ALERT_WEBHOOK_URL: `${there.url.origin}/secret`,
        WEIR_ALERT_WEBHOOK_SECRET: secret,
      };
      expect(await run(["test"], config)).toMatchObject({ code: 0, result: { ok: true, signed: true } });
      expect(got[0]!.get("webhook-signature")).toMatch(/^v1,/);
      const refused = await run(["test"], { ...config, WEIR_ALERT_WEBHOOK_SECRET: undefined });
      expect(refused).toMatchObject({ code: 1, result: { ok: false, signed: false, fault: "status 403" } });
      await there.stop(true);
      expect(await run(["test"])).toMatchObject({
        code: 2,
        result: { said: "weir: WEIR_ALERT_WEBHOOK_URL is not set" },
      });
    });
  });
});

describe("rules", () => {
  const faultsOf = (rule: object): string => {
    try {
      readRules({ rules: [{ name: "one", ...rule }] });
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  it.each([
    [{ kind: "threshold", figure: "events", window: "10m" }, "one: above: or below"],
    [{ kind: "threshold", figure: "events", window: "10m", above: 1, below: 2 }, "one: above: or below"],
    [{ kind: "threshold", figure: "revenue", window: "10m", above: 1 }, "one: currency: is needed"],
    [
      { kind: "threshold", figure: "events", currency: "EUR", window: "10m", above: 1 },
      "one: currency: goes with",
    ],
    [{ kind: "threshold", figure: "events", window: "100m", above: 1 }, "one: window: over 1h"],
    [{ kind: "threshold", figure: "sessions", window: "10m", above: 1 }, "one: window: of sessions"],
    [
      { kind: "threshold", figure: "events", window: "1s", above: 1 },
      "one: window: must be a length of time",
    ],
    [{ kind: "change", figure: "events" }, "one: up: or down"],
    [{ kind: "change", figure: "events", up: 10, window: "45m" }, "one: window: must be whole half hours"],
    [{ kind: "change", figure: "events", up: 10, tz: "Mars/Olympus" }, "one: tz: must be an IANA"],
    [{ kind: "completeness" }, "one: gap_above: or percent_above"],
    [{ kind: "no_data", after: "5" }, "one: after: must be a length of time"],
    [{ kind: "no_data", after: "5m", typs: ["a"] }, "typs"],
    [{ kind: "ledger", name: "Not A Name" }, "Not A Name: name: must be"],
    [{ kind: "ledger", summary: "" }, "one: summary"],
  ])("refuse %j", (rule, fault) => {
    expect(faultsOf(rule)).toContain(fault);
  });

  it("tell all faults at once, and two of one name", () => {
    const rules = [
      { name: "one", kind: "ledger", for: "soon" },
      { name: "two", kind: "threshold", figure: "revenue", window: "100m" },
      { name: "one", kind: "ledger" },
    ];
    expect(() => readRules({ rules })).toThrow(
      [
        "one: for: must be a length of time such as 15m or 2h, 0s to 1d",
        "two: currency: is needed for revenue",
        "two: above: or below: one of the two",
        "two: window: over 1h must be whole half hours",
        "one: is the name of two rules",
      ].join("\n"),
    );
    expect(() => readRules({ rule: [] })).toThrow("rule");
    expect(() => readRules([])).toThrow("file: ");
  });

  it("ship as a sample that has every kind, and are read as JSON, too", () => {
    const sample = loadRules(join(import.meta.dirname, "../../../aggregator/alert/sample-rules.yaml"));
    expect(new Set(sample.map(({ kind }) => kind))).toEqual(
      new Set(["threshold", "change", "no_data", "completeness", "ledger"]),
    );
    writeFileSync(path("rules.json"), '{ "rules": [{ "name": "one", "kind": "ledger", "for": "90s" }] }');
    expect(loadRules(path("rules.json"))).toMatchObject([
      { name: "one", for: 90_000, resolve_after: 120_000 },
    ]);
    writeFileSync(path("empty.yaml"), "");
    expect(loadRules(path("empty.yaml"))).toEqual([]);
    writeFileSync(path("broken.yaml"), "rules: [");
    expect(() => loadRules(path("broken.yaml"))).toThrow(/broken.yaml: is no YAML/);
  });

  it("take the settings' conversions where they name none", () => {
    writeFileSync(
      path("conversions.yaml"),
      "rules:\n  - { name: one, kind: threshold, figure: conversions, window: 5m, below: 1 }\n",
    );
    const config = { WEIR_ALERT_RULES: path("conversions.yaml"), WEIR_CONVERSION_TYPES: ["signup"] };
    expect(alertSettings(config)).toMatchObject({ rules: [{ types: ["signup"] }], webhook: undefined });
  });
});
