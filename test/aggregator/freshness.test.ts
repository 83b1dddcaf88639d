// Freshness: a pipeline that stores nothing is never well, whatever its processes say of themselves.
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createFreshness } from "../../aggregator/completeness/freshness.ts";
import { answer } from "../../aggregator/read/answer.ts";
import { createLedgerQuestion } from "../../aggregator/read/ask-ledger.ts";
import { questions } from "../../aggregator/read/questions.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { silentMeter } from "../../shared/meter.ts";
import { canaryProject } from "../../shared/wire/canary.ts";
import { manualClock } from "../support/clock.ts";
import { openProcesses, type Settings, type Station } from "../support/processes.ts";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import { recordOf } from "./records.ts";
import { openReplayScene } from "./replay-scene.ts";
import { closeScene, countRows, openHand, openScene } from "./scene.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-freshness-"));
const url = `embedded:${folder}/postgres`;
const minutes = 3 * 60_000;
let store: Store;
beforeAll(async () => {
  store = await openScene(url);
}, minutes);
afterAll(async () => {
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => store.sql`truncate canaries, events, ledger, log_positions`);

const canary = (receivedAt: number) => recordOf([], { project: canaryProject, receivedAt });

/** What these are not asked without. */
const needed: Readonly<Record<string, Record<string, string[]>>> = {
  timeline: { person: ["edge"] },
  paths: { start: ["canary"] },
};

describe("a canary in the store", () => {
  it("is one row an edge, the newest, and no event of anybody", async () => {
    const hand = await openHand(store);
    const now = Date.now();
    await hand.write(0, canary(now - 3_000), canary(now - 1_000), recordOf([{ name: "e" }]));
    await hand.write(1, canary(now - 2_000));
    const rows =
      await store.sql`select edge, (extract(epoch from sent_at) * 1000)::float8 as sent from canaries`;
    expect([...rows]).toEqual([{ edge: "edge", sent: now - 1_000 }]);
    expect(await countRows(store, "events")).toBe(1);
    // Their batches are in the ledger like all others, so every record is accounted for; they count nought.
    const [sums] = await store.sql`
      select count(*)::int as batches, sum(received)::int as received from ledger where project_id = ${canaryProject}`;
    expect(sums).toEqual({ batches: 3, received: 0 });
    await hand.close();
  });

  it("is in no answer, and in nothing that is in flight", async () => {
    const scene = await openReplayScene(url);
    try {
      await scene.publish(0, canary(Date.now()), recordOf([{ name: "e" }]));
      await scene.publish(1, canary(Date.now()));
      await scene.write([[0, 2]]);
      const ledger = createLedgerQuestion(scene.live.sql, scene.reader, manualClock());
      for (const by of ["total", "project", "hour"]) {
        const { data } = await ledger({ by: [by] });
        expect(data).toMatchObject([{ received: 1, stored: 1, in_flight: 0 }]);
      }
      for (const question of questions) {
        // A funnel answers for every step, also where nobody takes one.
        if (question.name === "funnel") continue;
        // Alerts are of all projects.
        if (!("project" in question.parameters.shape)) continue;
        const { data } = await answer(scene.live.sql, question, {
          project: [canaryProject],
          ...needed[question.name],
        });
        expect({ question: question.name, data }).toEqual({ question: question.name, data: [] });
      }
      await scene.write([[1, 1]]);
      const replayed = await scene.replay(await scene.empty());
      expect(replayed.tables.filter((table) => !table.equal)).toEqual([]);
    } finally {
      await scene.close();
    }
  });
});

describe("the age of the newest canary", () => {
  const settings = { canarySeconds: 10, maxSeconds: 60 };
  const store_ = async (edge: string, sentAt: number, storedAt = sentAt) => {
    const [sent, stored] = [new Date(sentAt), new Date(storedAt)];
    await store.sql`
      insert into canaries values (${edge}, ${sent}, ${stored})
      on conflict (edge) do update set sent_at = excluded.sent_at, stored_at = excluded.stored_at`;
  };

  it("is judged from the bound's time on, by the newest of all edges", async () => {
    const clock = manualClock();
    const freshness = createFreshness({ store, clock, meter: silentMeter }, settings);
    expect([await freshness.fault(), freshness.ageSeconds()]).toEqual([undefined, null]);
    await clock.advance(60_000);
    expect(await freshness.fault()).toBeUndefined();
    await clock.advance(1_000);
    expect(await freshness.fault()).toBe(
      "nothing may be stored: no canary was stored in 61 s, and 60 s are the bound",
    );
    await store_("gone", clock.now() - 3_600_000);
    await store_("well", clock.now() - 2_000);
    expect([await freshness.fault(), freshness.ageSeconds()]).toEqual([undefined, 2]);
    await clock.advance(58_500);
    expect(await freshness.fault()).toMatch(/the newest canary is 60 s old/);
  });

  it("is not made younger by a clock that is ahead", async () => {
    const clock = manualClock();
    const freshness = createFreshness({ store, clock, meter: silentMeter }, settings);
    await store_("ahead", clock.now() + 240_000, clock.now());
    await clock.advance(61_000);
    expect(await freshness.fault()).toMatch(/61 s old/);
  });

  it.each([
    ["nothing where canaries are off", { canarySeconds: 0, maxSeconds: 1 }, undefined],
    ["at least three canaries", { canarySeconds: 30, maxSeconds: 1 }, undefined],
    ["its bound", { canarySeconds: 1, maxSeconds: 5 }, /5 s are the bound/],
  ])("is held to %s", async (_, given, fault) => {
    const clock = manualClock();
    const freshness = createFreshness({ store, clock, meter: silentMeter }, given);
    await clock.advance(80_000);
    const found = await freshness.fault();
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });

  it("is a gauge by edge, which grows while the store is away", async () => {
    const clock = manualClock();
    const set = new Map<string, number>();
    const meter = {
      ...silentMeter,
      set: (name: string, value: number, attributes = {}) =>
        void set.set(`${name} ${JSON.stringify(attributes)}`, value),
    };
    await store_("e-1", clock.now() - 1_000);
    const freshness = createFreshness({ store, clock, meter }, settings);
    await freshness.look();
    await store.sql`alter table canaries rename to canaries_away`;
    try {
      await clock.advance(9_000);
      await freshness.look();
      expect([...set]).toEqual([['weir.freshness.age {"weir.edge":"e-1"}', 10]]);
    } finally {
      await store.sql`alter table canaries_away rename to canaries`;
    }
  });

  it("is forgotten with an edge that sent none for a day", async () => {
    const clock = manualClock(Date.now());
    const freshness = createFreshness({ store, clock, meter: silentMeter }, settings);
    await store_("gone", clock.now() - 2 * 86_400_000);
    await store_("here", clock.now());
    await freshness.look();
    expect([...(await store.sql`select edge from canaries`)]).toEqual([{ edge: "here" }]);
  });
});

describe("three processes without a write key", () => {
  const processes = openProcesses();
  const settings: Settings = {
    WEIR_DATA_DIR: join(folder, "data"),
    WEIR_EDGE_SECRET: "a secret of the tests alone",
    WEIR_CANARY_SECONDS: "0.2",
    WEIR_FRESHNESS_MAX_SECONDS: "3",
  };
  let live: Store;
  let aggregator: Station;
  let collector: Station;
  let edge: Station;
  beforeAll(async () => {
    succeeded(await processes.run(["migrate"], settings));
    live = await openStore("embedded:", { schema: "weir", dataDir: settings["WEIR_DATA_DIR"]! });
    aggregator = await processes.start("aggregator", settings);
    collector = await processes.start("collector", settings);
    const hops = { WEIR_COLLECTOR_URL: collector.url, WEIR_KEYS_URL: aggregator.url };
    edge = await processes.start("edge", { ...settings, ...hops });
    await untilReadiness("fresh", ({ told }) => "newest_canary_seconds" in told);
  }, minutes);
  afterAll(async () => {
    await processes.close();
    await live?.close();
  });

  const doctor = async () => {
    const { code, result } = await processes.run(["doctor", "--json"], settings);
    const findings = (result["findings"] ?? []) as { name: string; state: string }[];
    return { code, ...findings.find(({ name }) => name === "freshness of edge edge") };
  };

  async function untilReadiness(
    what: string,
    isMet: (found: { status: number; told: Record<string, unknown> }) => boolean,
  ) {
    const began = performance.now();
    let told: Record<string, unknown> = {};
    await until(what, 20_000, async () => {
      const response = await fetch(`${aggregator.url}/readyz`);
      told = (await response.json()) as Record<string, unknown>;
      return isMet({ status: response.status, told });
    });
    return { told, seconds: (performance.now() - began) / 1_000 };
  }
  // The canary that hung comes first, as old as it is.
  const untilWell = () =>
    untilReadiness("well again", ({ told }) => Number(told["newest_canary_seconds"] ?? 9) < 1);

  // Every process answers its /livez meanwhile, and none of them has anything to complain of.
  async function untilStale(secondsMax = 6): Promise<void> {
    const { told, seconds } = await untilReadiness("not ready", ({ status }) => status === 503);
    expect(told).toMatchObject({ code: "not_ready" });
    expect(told["detail"]).toMatch(/the newest canary is \d+ s old, and 3 s are the bound/);
    expect(seconds).toBeLessThan(secondsMax);
    expect((await fetch(`${aggregator.url}/livez`)).status).toBe(200);
  }

  it("are not ready while the collector hangs", async () => {
    process.kill(collector.pid, "SIGSTOP");
    await untilStale().finally(() => process.kill(collector.pid, "SIGCONT"));
    await untilWell();
  }, 60_000);

  it("are not ready while the log takes nothing", async () => {
    const log = new Database(join(settings["WEIR_DATA_DIR"]!, "log.sqlite"));
    log.run("begin immediate");
    const slowest = { aggregator: 0, collector: 0 };
    const isOver = new AbortController();
    const asking = (
      [
        ["aggregator", aggregator],
        ["collector", collector],
      ] as const
    ).map(async ([name, { url }]) => {
      while (!isOver.signal.aborted) {
        const began = performance.now();
        await fetch(`${url}/readyz`);
        slowest[name] = Math.max(slowest[name], performance.now() - began);
      }
    });
    await untilStale(8).finally(() => {
      isOver.abort();
      log.run("rollback");
      log.close();
    });
    await Promise.all(asking);
    // Who wants to write into the file must not hold up who only asks.
    expect(Math.max(...Object.values(slowest))).toBeLessThan(2_000);
    await untilWell();
  }, 60_000);

  /** What the edge knows of it, after a look at its keys: one it does not know makes it look. */
  async function ageAtEdge(): Promise<number> {
    const headers = { authorization: "Bearer wk_unknown", "content-type": "application/json" };
    const body = JSON.stringify({ events: [{ type: "t", user_id: "u" }] });
    expect((await fetch(`${edge.url}/v1/events`, { method: "POST", headers, body })).status).toBe(401);
    const response = await fetch(`${edge.url}/readyz`);
    expect(response.status).toBe(200);
    return Number(/^ok, the newest canary stored is (\d+\.\d) s old\n$/.exec(await response.text())?.[1]);
  }

  it("are told of by the edge, which goes on collecting", async () => {
    await until("the edge knows", 20_000, async () => (await ageAtEdge()) < 2);
    const metrics = await (await fetch(`${edge.url}/metrics`)).text();
    expect(metrics).toMatch(/^weir_edge_freshness_age_seconds \d/m);
  }, 60_000);

  it("are not ready while the writer waits for what nobody gives, and doctor says so", async () => {
    const held = Promise.withResolvers<void>();
    const isHeld = Promise.withResolvers<void>();
    const holder = live.sql.begin(async (tx) => {
      await tx`lock table log_positions in access exclusive mode`;
      isHeld.resolve();
      await held.promise;
    });
    await isHeld.promise;
    try {
      await untilStale();
      expect(await doctor()).toMatchObject({ code: 1, state: "bad" });
      expect(await ageAtEdge()).toBeGreaterThan(3);
    } finally {
      held.resolve();
      await holder;
    }
    await untilWell();
    expect(await doctor()).toMatchObject({ state: "ok" });
  }, 60_000);

  it("give nobody a key to its project", async () => {
    const made = await processes.run(["keys", "create", "--project", canaryProject], settings);
    expect(made).toMatchObject({ code: 2, said: expect.stringContaining("is Weir's own") });
  }, 60_000);

  it("count nothing of it, and measure its age", async () => {
    const { result } = succeeded(await processes.run(["reconcile", "--json"], settings));
    expect(result).toMatchObject({ ok: true, received: 0, in_flight: 0, lost: 0 });
    const metrics = await (await fetch(`${aggregator.url}/metrics`)).text();
    expect(metrics).toMatch(/weir_freshness_age_seconds\{weir_edge="edge"\} \d/);
  }, 60_000);
});
