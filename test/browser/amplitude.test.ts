// Amplitude's browser client with nothing changed but its server, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openScene, type Scene } from "../edge/dialect/scene.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

const soonMs = 45_000;

describeInBrowser("@amplitude/analytics-browser", () => {
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    [browser, script] = await Promise.all([
      launch(),
      bundled("@amplitude/analytics-browser/lib/esm/index.js"),
    ]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  const html = (scene: Scene): string => `<!doctype html><title>A shop</title>
    <script type="module">
      import * as amplitude from "/amplitude.js";
      amplitude.init("${scene.writeKey}", "ada", {
        serverUrl: "${scene.url}/2/httpapi", flushIntervalMillis: 100, fetchRemoteConfig: false,
        autocapture: { pageViews: true, sessions: false, attribution: false },
      });
      globalThis.told = [];
      globalThis.track = () => {
        amplitude.identify(new amplitude.Identify().set("plan", "pro"));
        const revenue = new amplitude.Revenue().setProductId("sku").setPrice(2.5).setQuantity(2);
        amplitude.revenue(revenue);
        for (let n = 0; n < 10; n += 1) {
          amplitude.track("bought", { n }).promise.then(({ code }) => globalThis.told.push(code));
        }
      };
    </script>`;

  it.each<[string, Scene["faults"]]>([
    ["", []],
    [" through faults", [{ status: 503 }, "cut", { status: 429 }]],
  ])(
    "sends every event%s, and each is stored once",
    async (_, faults) => {
      const scene = await openScene();
      scene.faults.push(...faults);
      const { page, strangers, close } = await openClientPage(browser, html(scene), {
        "/amplitude.js": script,
      });
      await page.evaluate(() => (globalThis as unknown as { track(): void }).track());
      const count = (type: string): number => scene.stored().filter((event) => event.type === type).length;
      const counts = (): string => ["page_view", "identify", "revenue_amount", "bought"].map(count).join();
      await until("every event is stored", soonMs, () => counts() === "1,1,1,10");
      const told = () => page.evaluate(() => (globalThis as unknown as { told: number[] }).told);
      await until("every event is answered", soonMs, async () => (await told()).length === 10);
      expect(new Set(await told())).toEqual(new Set([200]));
      const stored = scene.stored();
      expect(stored).toHaveLength(13);
      expect(new Set(stored.map(({ userId, identity }) => `${userId} ${identity}`))).toEqual(
        new Set(["ada event_id"]),
      );
      expect(stored.find(({ type }) => type === "revenue_amount")).toMatchObject({ revenue: "5" });
      expect(stored.find(({ type }) => type === "identify")).toMatchObject({ payload: '{"plan":"pro"}' });
      expect([scene.refusals(), strangers]).toEqual([[], []]);
      await close();
      await scene.close();
    },
    90_000,
  );
});
