// Snowplow's browser tracker with nothing changed but its collector, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openScene, type Scene } from "../edge/dialect/scene.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

const soonMs = 45_000;
const appId = "shop-web";

const html = (scene: Scene, options: string): string => `<!doctype html><title>A shop</title>
  <script type="module">
    import * as snowplow from "/tracker.js";
    snowplow.newTracker("sp", "${scene.url}", { appId: "${appId}", ${options} });
    snowplow.setUserId("ada");
    globalThis.snowplow = snowplow;
    globalThis.start = () => {
      snowplow.trackPageView({ context: [{ schema: "iglu:com.acme/cart/jsonschema/1-0-0", data: { items: 2 } }] });
      for (let n = 0; n < 5; n += 1) {
        snowplow.trackSelfDescribingEvent(
          { event: { schema: "iglu:com.acme/bought/jsonschema/1-0-0", data: { n, revenue: 2.5, currency: "EUR" } } });
        snowplow.trackStructEvent({ category: "shop", action: "add", value: n });
      }
    };
  </script>`;

interface Tracker {
  start(): void;
  snowplow: { flushBuffer(options: object): void };
}

describeInBrowser("@snowplow/browser-tracker", () => {
  let browser: Browser;
  let scripts: Record<string, string>;
  beforeAll(async () => {
    const [started, script] = await Promise.all([
      launch(),
      bundled("@snowplow/browser-tracker/dist/index.module.js"),
    ]);
    browser = started;
    scripts = { "/tracker.js": script };
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  const unwell: Scene["faults"] = [{ status: 503 }, "cut", { status: 429 }, { status: 500 }];
  it.each<[string, string, Scene["faults"]]>([
    ["by POST", "", []],
    ["by POST, in batches", "bufferSize: 5", []],
    ["as pixels", 'eventMethod: "get"', []],
    ["by POST, through faults", "", unwell],
    ["as pixels, through faults", 'eventMethod: "get"', unwell],
  ])(
    "sends eleven events %s, and each is stored once",
    async (_, options, faults) => {
      const scene = await openScene([appId]);
      scene.faults.push(...faults);
      const { page, strangers, close } = await openClientPage(browser, html(scene, options), scripts);
      await page.evaluate(() => (globalThis as unknown as Tracker).start());
      // After a fault the tracker tries again only when it is told to, or when something more is tracked.
      await until("every event is stored", soonMs, async () => {
        await page.evaluate(() => (globalThis as unknown as Tracker).snowplow.flushBuffer({}));
        return scene.faults.length === 0 && scene.stored().length === 11;
      });
      const stored = scene.stored();
      const count = (type: string): number => stored.filter((event) => event.type === type).length;
      expect(["page_view", "bought", "add"].map(count)).toEqual([1, 5, 5]);
      const view = stored.find(({ type }) => type === "page_view")!;
      expect(view).toMatchObject({ userId: "ada", identity: "event_id" });
      expect(new Set(stored.map(({ anonymousId, sessionId }) => `${anonymousId} ${sessionId}`)).size).toBe(1);
      expect(view.anonymousId).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.parse(view.payload)).toMatchObject({ title: "A shop" });
      const { entities } = JSON.parse(view.context) as { entities: { data: unknown }[] };
      expect(entities.map(({ data }) => data)).toContainEqual({ items: 2 });
      expect(stored.find(({ type }) => type === "bought")).toMatchObject({ revenue: "2.5", currency: "EUR" });
      expect([scene.refusals(), strangers]).toEqual([[], []]);
      await close();
      await scene.close();
    },
    90_000,
  );
});
