// Segment's browser client with nothing changed but its host, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { openScene, type Scene } from "../edge/dialect/scene.ts";
import { startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, example, openClientPage } from "./client-page.ts";

vi.setConfig({ maxConcurrency: 3 });

const soonMs = 30_000;
const host = "http://127.0.0.1:8787";

describeInBrowser("@segment/analytics-next", () => {
  let browser: Browser;
  let scripts: Record<string, string>;
  beforeAll(async () => {
    [browser, scripts] = await Promise.all([
      launch(),
      bundled("@segment/analytics-next/dist/pkg/index.js").then((text) => ({ "/analytics-next.js": text })),
    ]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  // Each has an edge and a page of its own.
  it.concurrent("runs the example page over the whole pipeline, and its visitor is linked to its user", async () => {
    const weir = await startEmbedded(["shop"]);
    const html = (await example("segment.html"))
      .replace(host, weir.edge.url)
      .replace("WRITE_KEY", weir.keyOf("shop"));
    const { page, strangers, close } = await openClientPage(browser, html, scripts);
    await page.click("#sign-up");
    for (let at = 0; at < 7; at += 1) await page.click("#buy");
    const rows = () =>
      weir.store.sql`select * from events where project_id = 'shop' order by event_time, stored_at`;
    await until("ten events are stored", soonMs, async () => (await rows()).length === 10);
    const stored = await rows();
    const count = (type: string): number => stored.filter((row) => row["type"] === type).length;
    expect(["page_view", "identify", "signed_up", "purchase"].map(count)).toEqual([1, 1, 1, 7]);
    const view = stored.find(({ type }) => type === "page_view")!;
    const identified = stored.find(({ type }) => type === "identify")!;
    expect(identified).toMatchObject({
      user_id: "ada",
      anonymous_id: view["anonymous_id"],
      payload: { plan: "pro" },
    });
    expect(view).toMatchObject({
      user_id: null,
      payload: { name: "Home" },
      context: { source_type: "page" },
    });
    expect(strangers).toEqual([]);
    const users = async (which: string): Promise<number> => {
      const path = `/v1/active-users?interval=day&users=${which}`;
      const { data } = (await (await fetch(weir.aggregatorUrl + path)).json()) as {
        data: { active_users: number }[];
      };
      return data.at(-1)?.active_users ?? 0;
    };
    await until("the visitor and the user are one", soonMs, async () => (await users("linked")) === 1);
    expect(await users("all")).toBe(2);
    await until("the ledger has all of it", soonMs, async () => (await weir.reconcile()).in_flight === 0);
    expect(await weir.store.sql`select 1 from quarantine`).toHaveLength(0);
    await close();
    await weir.close();
  }, 90_000);

  const batching = `, { integrations: { "Segment.io": { deliveryStrategy:
    { strategy: "batching", config: { size: 10, timeout: 500 } } } } }`;
  const withoutCdn = (scene: Scene): string => `AnalyticsBrowser.load(
    { writeKey: "${scene.writeKey}", cdnSettings: { integrations: { "Segment.io": { apiKey: "${scene.writeKey}" } } } },
    { integrations: { "Segment.io": { apiHost: "${new URL(scene.url).host}", protocol: "http" } } })`;
  const byCdn = (scene: Scene, options = ""): string =>
    `AnalyticsBrowser.load({ writeKey: "${scene.writeKey}", cdnURL: "${scene.url}" }${options})`;

  it.concurrent.each<[string, (scene: Scene) => string, Scene["faults"]]>([
    ["one request an event", byCdn, []],
    ["without any CDN", withoutCdn, []],
    ["in batches", (scene) => byCdn(scene, batching), []],
    ["one request an event, through faults", byCdn, [{ status: 503 }, "cut", { status: 503 }, "cut"]],
    [
      "one request an event, while it sends too much",
      byCdn,
      [{ status: 429, headers: { "retry-after": "1" } }],
    ],
    ["in batches, through faults", (scene) => byCdn(scene, batching), [{ status: 503 }, "cut"]],
    [
      "in batches, while it sends too much",
      (scene) => byCdn(scene, batching),
      [{ status: 429, headers: { "retry-after": "1" } }],
    ],
  ])(
    "delivers every event once, %s",
    async (_, load, faults) => {
      const scene = await openScene();
      const html = `<!doctype html><script type="module">
      import { AnalyticsBrowser } from "./analytics-next.js";
      window.analytics = ${load(scene)};
      await analytics.page("Home");
      window.isReady = true;
    </script>`;
      const { page, strangers, close } = await openClientPage(browser, html, scripts);
      await page.waitForFunction("window.isReady");
      scene.faults.push(...faults);
      await page.evaluate(`(async () => {
      for (let n = 0; n < 5; n += 1) void analytics.track("before", { n });
      void analytics.alias("ada", "visitor-7");
      void analytics.identify("ada", { plan: "pro" });
      void analytics.group("acme", { seats: 3 });
      for (let n = 0; n < 5; n += 1) void analytics.track("after", { n });
    })()`);
      await until(
        "every event is stored",
        soonMs,
        () => scene.stored().length === 14 && scene.faults.length === 0,
      );
      const stored = scene.stored();
      const count = (type: string): number => stored.filter((event) => event.type === type).length;
      expect(["page_view", "before", "identify", "group", "alias", "after"].map(count)).toEqual([
        1, 5, 1, 1, 1, 5,
      ]);
      expect(
        stored.every(({ identity, eventId }) => identity === "event_id" && eventId?.startsWith("ajs-next-")),
      ).toBe(true);
      expect(stored.find(({ type }) => type === "alias")).toMatchObject({
        userId: "ada",
        anonymousId: "visitor-7",
      });
      if (faults.includes("cut")) {
        await until("what had no answer is sent again", soonMs, () => scene.received() > stored.length);
        expect(scene.stored()).toHaveLength(stored.length);
      }
      expect(scene.refusals()).toEqual([]);
      expect(strangers).toEqual([]);
      await close();
      await scene.close();
    },
    90_000,
  );
});
