// Alerts as they run beside the writers: two aggregators, restarts, the webhook, the question, the commands.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { loadRules, readRules } from "../../../aggregator/alert/rules.ts";
import { alertSettings } from "../../../aggregator/alert/settings.ts";
import { registerAlerts } from "../../../aggregator/command/register-alerts.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { emptyStore } from "./empty-store.ts";
import { giveAlerts } from "./given-alerts.ts";
import { runningSuite } from "./running-suite.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-alert-rules-"));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("alerts", () => {
  let filled: FilledStore;
  beforeAll(async () => {
    filled = await filledStore();
  }, 180_000);
  afterAll(() => filled?.close());

  runningSuite(() => filled);

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
      await emptyStore(filled.store);
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
